// The @anthropic-ai/sdk package against deskhand serve.
import { strict as assert } from "node:assert";
import Anthropic, {
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
} from "@anthropic-ai/sdk";
import {
  address,
  check,
  end,
  idle,
  middle,
  plain,
  png,
  token,
} from "./check.mjs";

const client = new Anthropic({
  apiKey: token,
  baseURL: address,
  maxRetries: 0,
});
const model = "any";

const ask = (text, more) => ({
  model,
  temperature: 0,
  max_tokens: 40,
  messages: [{ role: "user", content: text }],
  ...more,
});
const create = (body, options) => client.messages.create(body, options);
const text = (m) =>
  m.content
    .filter((b) => b.type === "text")
    .map((b) => b.text)
    .join("");

const weather = {
  name: "weather",
  description: "The weather of a city",
  input_schema: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  },
};

await check("an answer has blocks, a reason to end and usage", async () => {
  const m = await create(ask("Hello.", { system: "Be brief." }));
  assert.equal(m.type, "message");
  assert.equal(m.role, "assistant");
  assert.ok(["end_turn", "max_tokens"].includes(m.stop_reason));
  assert.ok(m.usage.input_tokens > 0);
  assert.ok(m.usage.output_tokens > 0);
});

await check("a stream says what an answer at once says", async () => {
  // Long enough that even a busy machine sends it in pieces.
  const body = ask("Hello.", { max_tokens: 800 });
  const whole = await create(body);
  const stream = client.messages.stream(body);
  let pieces = 0;
  stream.on("text", () => pieces++);
  const m = await stream.finalMessage();
  assert.equal(plain(text(m)), plain(text(whole)));
  assert.equal(m.stop_reason, whole.stop_reason);
  assert.equal(m.usage.output_tokens, whole.usage.output_tokens);
  assert.ok(pieces > 1, `${pieces} pieces`);
});

await check("the same question again is read from the cache", async () => {
  const body = ask("What is cached is not computed again.");
  await create(body);
  const { usage } = await create(body);
  assert.equal(usage.input_tokens, 1);
  assert.ok(usage.cache_read_input_tokens > 10);
});

await check("a stop ends an answer and is named", async () => {
  const whole = text(await create(ask("Stop.")));
  const stop = middle(whole);
  const m = await create(ask("Stop.", { stop_sequences: ["@never@", stop] }));
  assert.equal(plain(text(m)), plain(whole.slice(0, whole.indexOf(stop))));
  assert.equal(m.stop_reason, "stop_sequence");
  assert.equal(m.stop_sequence, stop);
});

const look = (source) =>
  ask([
    { type: "image", source },
    { type: "text", text: "What is this?" },
  ]);
const all = (u) => u.input_tokens + u.cache_read_input_tokens;

await check("a picture is seen", async () => {
  const without = await create(ask("What is this?"));
  const source = { type: "base64", media_type: "image/png", data: png };
  const m = await create(look(source));
  assert.ok(all(m.usage) > all(without.usage) + 4);
});

await check("a picture at an address is not fetched", () =>
  assert.rejects(
    create(look({ type: "url", url: "http://127.0.0.1:9/a.png" })),
    BadRequestError,
  ),
);

await check("tools, a use and its result with a picture are taken", async () => {
  const bare = await create(ask("Rain?"));
  const m = await create(
    ask("", {
      tools: [weather],
      messages: [
        { role: "user", content: "Rain?" },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "Look.", signature: "s" },
            { type: "text", text: "I look." },
            { type: "tool_use", id: "u1", name: "weather", input: { city: "Ulm" } },
          ],
        },
        {
          role: "user",
          content: [
            {
              type: "tool_result",
              tool_use_id: "u1",
              content: [
                { type: "text", text: "No rain." },
                {
                  type: "image",
                  source: { type: "base64", media_type: "image/png", data: png },
                },
              ],
            },
          ],
        },
      ],
    }),
  );
  assert.ok(all(m.usage) > all(bare.usage) + 50);
});

await check("thinking is a block of its own", async () => {
  const m = await create(
    ask("Think.", { thinking: { type: "enabled", budget_tokens: 1024 }, max_tokens: 60 }),
  );
  assert.equal(m.content[0].type, "thinking");
  assert.ok(m.content[0].thinking.length > 0);
  const stream = client.messages.stream(
    ask("Think.", { thinking: { type: "enabled", budget_tokens: 1024 }, max_tokens: 60 }),
  );
  const s = await stream.finalMessage();
  assert.equal(plain(s.content[0].thinking), plain(m.content[0].thinking));
});

await check("a wrong token is refused", () =>
  assert.rejects(
    new Anthropic({
      apiKey: `${token}x`,
      baseURL: address,
      maxRetries: 0,
    }).messages.create(ask("Hello.")),
    AuthenticationError,
  ),
);

await check("a client that goes in mid-stream frees its slot", async () => {
  const stop = new AbortController();
  const body = ask("Write on.", {
    max_tokens: 3000,
    temperature: 1,
    stream: true,
  });
  const stream = await create(body, { signal: stop.signal });
  const read = (async () => {
    for await (const event of stream)
      if (event.type === "content_block_delta") stop.abort();
  })();
  await read.catch((e) => assert.ok(e instanceof APIUserAbortError, e));
  await idle();
});

end();
