// The openai package against deskhand serve.
import { strict as assert } from "node:assert";
import OpenAI, {
  APIUserAbortError,
  AuthenticationError,
  BadRequestError,
} from "openai";
import {
  address,
  check,
  end,
  idle,
  metric,
  middle,
  plain,
  png,
  token,
} from "./check.mjs";

const client = new OpenAI({
  apiKey: token,
  baseURL: `${address}/v1`,
  maxRetries: 0,
});
const model = (await client.models.list()).data[0].id;

const ask = (text, more) => ({
  model,
  temperature: 0,
  max_tokens: 40,
  messages: [{ role: "user", content: text }],
  ...more,
});
const create = (body, options) => client.chat.completions.create(body, options);

const weather = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather of a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" } },
      required: ["city"],
    },
  },
};

async function streamed(body, options) {
  const all = { text: "", calls: 0, finish: null, usage: null, chunks: 0 };
  const stream = await create(
    { ...body, stream: true, stream_options: { include_usage: true } },
    options,
  );
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    all.chunks++;
    all.text += choice?.delta.content ?? "";
    all.calls += choice?.delta.tool_calls?.length ?? 0;
    all.finish = choice?.finish_reason ?? all.finish;
    all.usage = chunk.usage ?? all.usage;
  }
  return all;
}

await check("an answer has text, a reason to end and usage", async () => {
  const a = await create(ask("Hello."));
  assert.equal(a.object, "chat.completion");
  assert.equal(a.model, model);
  assert.equal(a.choices[0].message.role, "assistant");
  assert.ok(["stop", "length"].includes(a.choices[0].finish_reason));
  assert.ok(a.usage.prompt_tokens > 10);
  assert.ok(a.usage.completion_tokens > 0);
  assert.equal(
    a.usage.total_tokens,
    a.usage.prompt_tokens + a.usage.completion_tokens,
  );
});

await check("a stream says what an answer at once says", async () => {
  const whole = await create(ask("Hello."));
  const s = await streamed(ask("Hello."));
  assert.equal(plain(s.text), plain(whole.choices[0].message.content));
  assert.equal(s.finish, whole.choices[0].finish_reason);
  assert.equal(s.usage.completion_tokens, whole.usage.completion_tokens);
  assert.ok(s.chunks > 3, `${s.chunks} chunks`);
});

await check("the same question again comes from the cache", async () => {
  const body = ask("What is cached is not computed again.");
  await create(body);
  const { usage } = await create(body);
  assert.equal(
    usage.prompt_tokens_details.cached_tokens,
    usage.prompt_tokens - 1,
  );
});

await check("a stop ends an answer before itself", async () => {
  const whole = (await create(ask("Stop."))).choices[0].message.content;
  const stop = middle(whole);
  const want = whole.slice(0, whole.indexOf(stop));
  const a = await create(ask("Stop.", { stop: [stop, "never to be seen"] }));
  assert.equal(plain(a.choices[0].message.content), plain(want));
  assert.equal(a.choices[0].finish_reason, "stop");
  const s = await streamed(ask("Stop.", { stop }));
  assert.equal(plain(s.text), plain(want));
});

await check("max_completion_tokens limits, and says so", async () => {
  const a = await create(
    ask("Long.", { max_tokens: undefined, max_completion_tokens: 3 }),
  );
  assert.ok(a.usage.completion_tokens <= 3);
  if (a.usage.completion_tokens === 3)
    assert.equal(a.choices[0].finish_reason, "length");
});

await check("a seed repeats a sampled answer", async () => {
  const body = ask("Dice.", { temperature: 1, top_p: 0.95, seed: 7 });
  const one = await create(body);
  const two = await create(body);
  const other = await create({ ...body, seed: 8 });
  const text = (a) => a.choices[0].message.content;
  assert.equal(text(one), text(two));
  assert.notEqual(text(one), text(other));
});

const look = (url) =>
  ask("", {
    messages: [
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url } },
          { type: "text", text: "What is this?" },
        ],
      },
    ],
  });

await check("a picture is seen, and cached", async () => {
  const without = await create(ask("What is this?"));
  const body = look(`data:image/png;base64,${png}`);
  const one = await create(body);
  assert.ok(one.usage.prompt_tokens > without.usage.prompt_tokens + 4);
  const two = await create(body);
  assert.equal(
    two.usage.prompt_tokens_details.cached_tokens,
    two.usage.prompt_tokens - 1,
  );
});

for (const [what, url] of [
  ["at an address is not fetched", "http://127.0.0.1:9/a.png"],
  ["of broken base64 is refused", "data:image/png;base64,@@@@"],
  ["that is cut short is refused", `data:image/png;base64,${png.slice(0, 80)}`],
])
  await check(`a picture ${what}`, () =>
    assert.rejects(create(look(url)), BadRequestError),
  );

await check("tools, a call and its result are taken", async () => {
  const call = {
    id: "call_1",
    type: "function",
    function: { name: "weather", arguments: '{"city":"Ulm","days":2}' },
  };
  const bare = await create(ask("Rain?"));
  const a = await create(
    ask("", {
      tools: [weather],
      tool_choice: "auto",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Rain?" },
        { role: "assistant", content: null, tool_calls: [call] },
        { role: "tool", tool_call_id: "call_1", content: "No rain." },
      ],
    }),
  );
  assert.ok(a.usage.prompt_tokens > bare.usage.prompt_tokens + 50);
  for (const c of a.choices[0].message.tool_calls ?? [])
    JSON.parse(c.function.arguments);
});

await check("arguments that are no JSON are refused", () =>
  assert.rejects(
    create(
      ask("", {
        tools: [weather],
        messages: [
          { role: "user", content: "Rain?" },
          {
            role: "assistant",
            content: null,
            tool_calls: [
              {
                id: "call_1",
                type: "function",
                function: { name: "weather", arguments: "{city" },
              },
            ],
          },
          { role: "tool", tool_call_id: "call_1", content: "No." },
        ],
      }),
    ),
    BadRequestError,
  ),
);

await check("an action is decoded under the grammar", async () => {
  const a = await create(
    ask("Task: Click OK.", { max_tokens: 400, deskhand: { form: "action" } }),
  );
  if (a.choices[0].finish_reason === "stop")
    assert.match(a.choices[0].message.content, /^Action: .*<tool_call>/s);
});

for (const [what, wrong] of [
  ["a temperature of 3", { temperature: 3 }],
  ["no messages", { messages: [] }],
  ["an unknown role", { messages: [{ role: "king", content: "Hi." }] }],
])
  await check(`${what} is refused with 400`, () =>
    assert.rejects(create(ask("Hi.", wrong)), BadRequestError),
  );

await check("a wrong token is refused", () =>
  assert.rejects(
    new OpenAI({
      apiKey: `${token}x`,
      baseURL: `${address}/v1`,
      maxRetries: 0,
    }).models.list(),
    AuthenticationError,
  ),
);

await check("four at once on two slots say what each says alone", async () => {
  const bodies = ["One.", "Two!", "Three?", "Four;"].map((t) => ask(t));
  const text = (a) => a.choices[0].message.content;
  const alone = [];
  for (const body of bodies) alone.push(text(await create(body)));
  for (let round = 0; round < 3; round++) {
    const together = await Promise.all(bodies.map((body) => create(body)));
    assert.deepEqual(together.map(text), alone);
  }
});

await check("a client that goes in mid-stream frees its slot", async () => {
  const stop = new AbortController();
  const body = ask("Write on.", {
    max_tokens: 3000,
    temperature: 1,
    stream: true,
  });
  const stream = await create(body, { signal: stop.signal });
  const read = (async () => {
    for await (const chunk of stream) if (chunk.choices[0]) stop.abort();
  })();
  await read.catch((e) => assert.ok(e instanceof APIUserAbortError, e));
  await idle();
  assert.ok((await create(ask("Hello."))).usage.completion_tokens > 0);
});

await check("a client that goes before its answer frees its slot", async () => {
  const before = await metric("deskhand_questions_total");
  const stop = new AbortController();
  const asked = create(ask("Go. ".repeat(700)), { signal: stop.signal });
  asked.catch(() => {});
  while (
    (await metric("deskhand_slots_busy")) === 0 &&
    (await metric("deskhand_questions_total")) === before
  );
  stop.abort();
  await assert.rejects(asked, APIUserAbortError);
  await idle();
});

end();
