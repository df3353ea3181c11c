"""Writes sprout as a checkpoint in the released layout, and reference numbers.

    python3 export.py --snapshot DIR --out DIR [--carry DIR] [--tiny] [--ref DIR]
    python3 export.py --reference MODEL_DIR --ref DIR --carry DIR    only the numbers
    python3 export.py --checkpoint DIR --out DIR       snapshot of a checkpoint
    python3 export.py --join OUT                       unpack model.tar.N of a training run into OUT
"""
import argparse
import json
import os
import struct
import tarfile
import zlib

import numpy as np
import torch

import data
import model as M
import tok

HERE = os.path.dirname(os.path.abspath(__file__))
PIECE = 15 << 20


# ---- snapshots

def save_snapshot(m, state, out, name="snapshot"):
    """All weights as bf16, high and low bytes apart, packed, in pieces that travel. -> MiB"""
    flat = torch.cat([m.master, m.fp32, m.bias.reshape(-1)]).float().cpu()
    bits = flat.to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    high = zlib.compress((bits >> 8).astype(np.uint8).tobytes(), 6)
    raw = len(high).to_bytes(8, "little") + high + (bits & 255).astype(np.uint8).tobytes()
    folder = os.path.join(out, name)
    os.makedirs(folder, exist_ok=True)
    write_pieces(raw, os.path.join(folder, "weights"))
    with open(os.path.join(folder, "state.json"), "w") as f:
        json.dump(dict(state, elements=len(bits), bytes=len(raw)), f)
    return len(raw) / 2 ** 20


def load_snapshot(m, folder):
    raw = read_pieces(os.path.join(folder, "weights"))
    with open(os.path.join(folder, "state.json")) as f:
        want = json.load(f)
    if len(raw) != want["bytes"]:
        raise SystemExit(f"snapshot {folder}: {len(raw)} bytes instead of {want['bytes']}; carry every weights.N")
    n = int.from_bytes(raw[:8], "little")
    high = np.frombuffer(zlib.decompress(raw[8:8 + n]), np.uint8).astype(np.uint16)
    low = np.frombuffer(raw[8 + n:], np.uint8)
    flat = torch.from_numpy((high << 8 | low).view(np.int16).copy()).view(torch.bfloat16).float().to(m.device)
    a, b = m.master.numel(), m.fp32.numel()
    m.master.copy_(flat[:a])
    m.fp32.copy_(flat[a:a + b])
    m.bias.copy_(flat[a + b:].view_as(m.bias))


def write_pieces(raw, path):
    for i in range(0, len(raw), PIECE):
        with open(f"{path}.{i // PIECE}", "wb") as f:
            f.write(raw[i:i + PIECE])


def read_pieces(path):
    raw, i = b"", 0
    while os.path.exists(f"{path}.{i}"):
        with open(f"{path}.{i}", "rb") as f:
            raw += f.read()
        i += 1
    return raw


# ---- numbers

def e4m3_bytes(v):
    """float32 values that are E4M3 numbers -> their codes"""
    a = np.abs(v)
    exp = np.clip(np.floor(np.log2(np.maximum(a, 2.0 ** -6))), -6, 8)
    man = np.round(a / 2.0 ** (exp - 3)).astype(np.int64)      # 8..15 normal, 0..7 subnormal
    code = np.where(man >= 8, (exp.astype(np.int64) + 7) << 3 | (man - 8), man)
    assert code.max(initial=0) <= 0x7E
    return (code | (np.signbit(v).astype(np.int64) << 7)).astype(np.uint8)


def e4m3_values(codes):
    c = codes.astype(np.int64)
    exp, man = c >> 3 & 15, c & 7
    v = np.where(exp > 0, (8 + man) * 2.0 ** (exp - 10.0), man * 2.0 ** -9)
    return np.where(c & 128, -v, v).astype(np.float32)


def bf16_bits(t):
    return t.detach().float().cpu().to(torch.bfloat16).contiguous().view(torch.int16).numpy().view(np.uint16)


def tensors(m):
    """[(released name, kind, float32 tensor)]; kind: q (MXFP8), b (bf16), f (float32)"""
    c, w = m.c, lambda n: m.weight(n).detach().float().cpu()
    out = []
    lm = "language_model."
    out += [(lm + "model.embed_tokens.weight", "b", w("embed")), (lm + "model.norm.weight", "b", w("norm")),
            (lm + "lm_head.weight", "b", w("head"))]
    for j in range(c.layers):
        p, o = f"t{j}.", f"{lm}model.layers.{j}."
        kv = w(p + "kv")
        out += [(o + "input_layernorm.weight", "b", w(p + "n1")), (o + "post_attention_layernorm.weight", "b", w(p + "n2")),
                (o + "self_attn.q_proj.weight", "q", w(p + "q")), (o + "self_attn.k_proj.weight", "q", kv[0]),
                (o + "self_attn.v_proj.weight", "q", kv[1]), (o + "self_attn.o_proj.weight", "q", w(p + "o")),
                (o + "self_attn.q_norm.weight", "b", w(p + "qn")), (o + "self_attn.k_norm.weight", "b", w(p + "kn"))]
        if j == 0:
            gu = w(p + "gu")
            out += [(o + "mlp.gate_proj.weight", "q", gu[0]), (o + "mlp.up_proj.weight", "q", gu[1]),
                    (o + "mlp.down_proj.weight", "q", w(p + "dn"))]
            continue
        out += [(o + "self_attn.index_q_proj.weight", "q", w(p + "iq")), (o + "self_attn.index_k_proj.weight", "q", w(p + "ik")),
                (o + "self_attn.index_q_norm.weight", "b", w(p + "iqn")), (o + "self_attn.index_k_norm.weight", "b", w(p + "ikn")),
                (o + "block_sparse_moe.gate.weight", "f", w(p + "router")),
                (o + "block_sparse_moe.e_score_correction_bias", "f", m.bias[j].detach().float().cpu())]
        w13, w2, sgu = w(p + "w13"), w(p + "w2"), w(p + "sgu")
        for e in range(c.experts):
            x = f"{o}block_sparse_moe.experts.{e}."
            out += [(x + "w1.weight", "q", w13[e, 0]), (x + "w3.weight", "q", w13[e, 1]), (x + "w2.weight", "q", w2[e])]
        out += [(o + "block_sparse_moe.shared_experts.gate_proj.weight", "q", sgu[0]),
                (o + "block_sparse_moe.shared_experts.up_proj.weight", "q", sgu[1]),
                (o + "block_sparse_moe.shared_experts.down_proj.weight", "q", w(p + "sdn"))]
    v = "vision_tower.vision_model."
    # a still picture fills both temporal slices: each holds half of the kernel
    half = w("patch").view(c.vhidden, 3, 1, c.patch, c.patch) / 2
    out += [(v + "embeddings.patch_embedding.weight", "f", half.expand(-1, -1, 2, -1, -1).contiguous()),
            (v + "pre_layrnorm.weight", "b", w("pre.w")), (v + "pre_layrnorm.bias", "b", w("pre.b"))]
    for j in range(c.vlayers):
        p, o = f"v{j}.", f"{v}encoder.layers.{j}."
        for n, r in (("n1", "layer_norm1"), ("n2", "layer_norm2")):
            out += [(o + r + ".weight", "b", w(p + n + ".w")), (o + r + ".bias", "b", w(p + n + ".b"))]
        for i, n in enumerate("qkv"):
            out += [(f"{o}self_attn.{n}_proj.weight", "q", w(p + "qkv.w")[i]), (f"{o}self_attn.{n}_proj.bias", "b", w(p + "qkv.b")[i])]
        for n, r in (("o", "self_attn.out_proj"), ("f1", "mlp.fc1"), ("f2", "mlp.fc2")):
            out += [(f"{o}{r}.weight", "q", w(p + n + ".w")), (f"{o}{r}.bias", "b", w(p + n + ".b"))]
    for n, r in (("p1", "multi_modal_projector.linear_1"), ("p2", "multi_modal_projector.linear_2"),
                 ("m1", "patch_merge_mlp.linear_1"), ("m2", "patch_merge_mlp.linear_2")):
        out += [(r + ".weight", "q", w(n + ".w")), (r + ".bias", "b", w(n + ".b"))]
    return out


def write_safetensors(items, path):
    """items: [(name, dtype, shape, bytes)]"""
    head, at = {"__metadata__": {"format": "pt"}}, 0
    for name, dtype, shape, raw in items:
        head[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for *_, raw in items:
            f.write(raw)


def read_safetensors(path):
    """-> {name: (dtype, shape, bytes)}"""
    with open(path, "rb") as f:
        raw = f.read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    head.pop("__metadata__", None)
    return {k: (v["dtype"], v["shape"], raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]) for k, v in head.items()}


def config_json(c, t):
    sparse = [0] + [1] * (c.layers - 1)
    a = t.added
    comp = {"image_token_compression_method": "patch_merge", "spatial_merge_size": 2, "temporal_patch_size": 2}
    return {
        "architectures": ["MiniMaxM3SparseForConditionalGeneration"], "model_type": "minimax_m3_vl", "torch_dtype": "bfloat16",
        "image_token_index": a["]<]image[>["], "video_token_index": a["]<]video[>["], "image_seq_length": 999,
        "process_image_mode": "dynamic_res", "projector_hidden_size": c.projector, "projector_hidden_act": "gelu",
        "multimodal_projector_bias": True, "vision_feature_layer": -1, "vision_feature_select_strategy": "full",
        "img_token_compression_config": comp,
        "text_config": {
            "architectures": ["MiniMaxM3SparseForCausalLM"], "hidden_size": c.hidden, "num_hidden_layers": c.layers,
            "num_attention_heads": c.heads, "num_key_value_heads": c.kv_heads, "head_dim": c.head_dim, "vocab_size": c.vocab,
            "max_position_embeddings": 32768, "rms_norm_eps": c.eps, "use_gemma_norm": True, "attention_output_gate": False,
            "rope_theta": c.theta, "rotary_dim": c.rotary, "partial_rotary_factor": c.rotary / c.head_dim,
            "hidden_act": "swigluoai", "swiglu_alpha": c.alpha, "swiglu_limit": c.limit, "use_qk_norm": True,
            "qk_norm_type": "per_head", "tie_word_embeddings": False, "intermediate_size": c.expert,
            "dense_intermediate_size": c.dense, "shared_intermediate_size": c.shared, "num_local_experts": c.experts,
            "num_experts_per_tok": c.top, "n_shared_experts": 1, "scoring_func": "sigmoid", "use_routing_bias": True,
            "routed_scaling_factor": c.scale, "bos_token_id": a["]~b]"], "eos_token_id": a["[e~["], "moe_layer_freq": sparse,
            "sparse_attention_config": {
                "use_sparse_attention": True, "sparse_index_dim": c.index_dim, "sparse_num_index_heads": c.index_heads,
                "sparse_topk_blocks": c.topk, "sparse_block_size": c.block, "sparse_score_type": "max", "sparse_init_block": 0,
                "sparse_local_block": 1, "sparse_disable_index_value": sparse, "sparse_attention_freq": sparse}},
        "vision_config": {
            "model_type": "clip_vision_model", "hidden_size": c.vhidden, "num_hidden_layers": c.vlayers,
            "num_attention_heads": c.vheads, "intermediate_size": c.vinner, "num_channels": 3, "patch_size": c.patch,
            "image_size": 1288, "projection_dim": c.hidden, "hidden_act": "gelu", "layer_norm_eps": c.veps,
            "attention_dropout": 0.0, "position_embedding_type": "rope", "rope_mode": "3d", "rope_theta": c.vtheta,
            "vision_segment_max_frames": 4, "img_token_compression_config": comp},
        "quantization_config": {
            "quant_method": "mxfp8", "fmt": "e4m3", "scale_fmt": "ue8m0", "weight_block_size": [1, 32],
            "activation_scheme": "dynamic",
            "ignored_layers": ["language_model.lm_head", "language_model.model.embed_tokens", "block_sparse_moe.gate",
                               "vision_tower.vision_model.embeddings.patch_embedding"]}}


def export(m, folder):
    os.makedirs(folder, exist_ok=True)
    t, items = tok.Tokenizer(), []
    for name, kind, w in tensors(m):
        if kind == "q":
            val, e = M.fake_mxfp8(w.contiguous())
            rows = w.shape[0]
            scale = (e.view(rows, -1) + 127).to(torch.uint8).numpy()
            q = (val.view(-1, 32) * torch.exp2(-e)[:, None]).view(rows, -1).numpy()
            items += [(name, "F8_E4M3", w.shape, e4m3_bytes(q).tobytes()),
                      (name + "_scale_inv", "U8", scale.shape, scale.tobytes())]
        elif kind == "b":
            items.append((name, "BF16", w.shape, bf16_bits(w).tobytes()))
        else:
            items.append((name, "F32", w.shape, w.contiguous().numpy().astype("<f4").tobytes()))
    # float32 first: offsets stay aligned
    items.sort(key=lambda i: ({"F32": 0, "BF16": 1}.get(i[1], 2), i[0]))
    write_safetensors(items, os.path.join(folder, "model.safetensors"))
    with open(os.path.join(HERE, "tokenizer.json"), "rb") as f, open(os.path.join(folder, "tokenizer.json"), "wb") as g:
        g.write(f.read())
    a = t.added
    files = {
        "config.json": config_json(m.c, t),
        "preprocessor_config.json": {
            "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": M.MEAN,
            "image_std": M.STD, "merge_size": 2, "patch_size": m.c.patch, "resample": 3, "rescale_factor": 1 / 255,
            "size": {"shortest_edge": 3136, "longest_edge": 1003520}, "temporal_patch_size": 2},
        "generation_config.json": {"bos_token_id": a["]~b]"], "eos_token_id": a["[e~["], "do_sample": False, "max_new_tokens": 128}}
    for name, value in files.items():
        with open(os.path.join(folder, name), "w") as f:
            json.dump(value, f, indent=1)
            f.write("\n")


def load(folder, config=None):
    """An exported model as a float32 Model on the CPU."""
    m = M.Model(config or M.Config())
    got, seen = read_safetensors(os.path.join(folder, "model.safetensors")), set()

    def value(name):
        dtype, shape, raw = got[name]
        seen.add(name)
        if dtype == "F32":
            v = np.frombuffer(raw, "<f4")
        elif dtype == "BF16":
            v = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            seen.add(name + "_scale_inv")
            s = np.frombuffer(got[name + "_scale_inv"][2], np.uint8).astype(np.float64)
            v = (e4m3_values(np.frombuffer(raw, np.uint8)).reshape(-1, 32) * 2.0 ** (s[:, None] - 127)).astype(np.float32)
        return torch.from_numpy(v.reshape(shape).copy())

    # tensors() hands out copies; write through the same walk on the masters
    for name, _, w in tensors(Writable(m)):
        v = value(name)
        if name.endswith("patch_embedding.weight"):
            m.weight("patch").copy_(v.sum(2).reshape(v.shape[0], -1))
        else:
            w.copy_(v)
    missing = set(got) - seen
    assert not missing, missing
    m.refresh(False)
    return m


class Writable:
    """A Model whose weights tensors() does not copy (they are float32 on the CPU already)."""

    def __init__(self, m):
        assert m.device == "cpu"
        self.c, self.weight, self.bias = m.c, m.weight, m.bias


# ---- reference numbers

def write_png(path, rgb):
    h, w, _ = rgb.shape
    raw = np.concatenate([np.zeros((h, 1), np.uint8), rgb.reshape(h, -1)], 1).tobytes()
    chunk = lambda k, d: struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def reference(model_dir, out, src, packer, config=None, sizes=((1036, 756), (812, 588)), last=32):
    """Two scenes: picture, ids, logits of the last positions, in float32 on the CPU."""
    os.makedirs(out, exist_ok=True)
    with torch.no_grad():
        m = load(model_dir, config)
        for k, (w, h) in enumerate(sizes):
            rgb, it, _, _ = data.eval_set(src, packer, (w, h, 1.0, 0, 0), 1, 77000 + k * 8)[0]
            image_id = packer.tok.added["]<]image[>["]
            suffix = [packer.image_end] + packer.prompt(it.question) + packer.answer(it.answer, it.content)[0]
            img = torch.from_numpy(rgb.copy())[None]
            image, _ = m.vision(img)
            prefix = torch.tensor(packer.prefix)
            x = m.assemble(prefix, image, torch.tensor([suffix]))
            states, _, _ = m.text(x, torch.ones(1, x.shape[1], 1))
            logits = torch.nn.functional.linear(M.gemma(states[0, -last:], m.p["norm"], m.c.eps), m.p["head"]).float()
            ids = packer.prefix + [image_id] * image.shape[1] + suffix
            write_png(os.path.join(out, f"case{k}.png"), rgb)
            logits.numpy().astype("<f4").tofile(os.path.join(out, f"case{k}.logits.f32"))
            with open(os.path.join(out, f"case{k}.json"), "w") as f:
                json.dump({"width": w, "height": h, "grid": [1, h // 14, w // 14], "question": it.question, "answer": it.answer,
                           "ids": ids, "first_logit_position": len(ids) - last, "vocab": m.c.vocab,
                           "argmax": logits.argmax(-1).tolist()}, f)
                f.write("\n")


def pack(folder, out):
    """model/ and sprout_ref/ of folder as out/model.tar.0, .1, ..."""
    path = os.path.join(folder, "model.tar")
    with tarfile.open(path, "w") as t:
        for n in ("model", "sprout_ref"):
            if os.path.isdir(os.path.join(folder, n)):
                t.add(os.path.join(folder, n), n)
    with open(path, "rb") as f:
        write_pieces(f.read(), os.path.join(out, "model.tar"))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--snapshot")
    ap.add_argument("--out")
    ap.add_argument("--ref")
    ap.add_argument("--carry", default=".carry")
    ap.add_argument("--reference")
    ap.add_argument("--join")
    ap.add_argument("--checkpoint", help="folder with ckpt.pt: writes OUT/snapshot")
    ap.add_argument("--tiny", action="store_true")
    ap.add_argument("--stub", action="store_true")
    a = ap.parse_args()
    config = M.Config(**M.TINY) if a.tiny else M.Config()
    if a.join:
        import io
        raw = read_pieces(os.path.join(a.join, "model.tar"))
        dest = a.out or a.join
        os.makedirs(dest, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(raw)) as t:
            t.extractall(dest)
        return
    if a.checkpoint:
        m, s = M.Model(config), torch.load(os.path.join(a.checkpoint, "ckpt.pt"), map_location="cpu")
        m.master.copy_(s["master"])
        m.fp32.copy_(s["fp32"])
        m.bias.copy_(s["bias"])
        with open(os.path.join(a.checkpoint, "state.json")) as f:
            save_snapshot(m, json.load(f), a.out)
        return
    folder = a.reference
    if a.snapshot:
        m = M.Model(config)
        load_snapshot(m, a.snapshot)
        export(m, a.out)
        folder = a.out
    if a.ref:
        reference(folder, a.ref, data.Source(a.carry, a.stub), data.Packer(), config,
                  ((392, 280), (336, 252)) if a.tiny else ((1036, 756), (812, 588)))


if __name__ == "__main__":
    main()
