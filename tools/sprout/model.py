"""MiniMax-M3's architecture at sprout's size, on flat weight buffers.

Weights live in two flat buffers (work type and float32) with views by name, so that
gradients, optimiser and quantisation run over whole buffers. The heavy functions are
free functions of tensors: one compilation serves all layers."""
import math

import torch
import torch.nn.functional as F

MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]


class Config:
    vocab = 768
    hidden, layers, heads, kv_heads, head_dim, rotary = 384, 8, 6, 2, 64, 32
    theta, eps = 50000.0, 1e-6
    dense, experts, top, expert, shared, scale = 1024, 8, 2, 128, 256, 2.0
    block, topk, index_heads, index_dim = 128, 16, 2, 64
    alpha, limit = 1.702, 7.0
    vhidden, vlayers, vheads, vinner, patch, vtheta, veps = 256, 6, 4, 1024, 14, 10000.0, 1e-5
    projector = 384
    chars = 96  # classes of the character head: blank, 94 of ASCII, any other
    places = 64 + 64 + 128 + 128  # row, column, row and column as parts of 128

    def __init__(self, **kw):
        for k, v in kw.items():
            assert hasattr(Config, k), k
            setattr(self, k, v)


TINY = dict(hidden=64, layers=3, heads=2, kv_heads=2, head_dim=32, rotary=16, dense=96, expert=32, shared=64, experts=4,
            vhidden=64, vlayers=2, vheads=2, vinner=128, projector=64, index_dim=32)


def parameters(c):
    """[(name, shape, group, init std)]. Groups: a adam, q adam quantised, m muon quantised, i index (m too), r float32."""
    h, v, out = c.hidden, c.vhidden, []

    def add(name, shape, group, std=None, gain=1.0):
        out.append((name, shape, group, gain / math.sqrt(shape[-1]) if std is None else std))

    add("embed", (c.vocab, h), "a", 0.02)
    add("head", (c.vocab, h), "a")
    add("norm", (h,), "a", 0)
    add("patch", (v, 3 * c.patch * c.patch), "r")
    add("pre.w", (v,), "a", 1j)
    add("pre.b", (v,), "a", 0)
    for j in range(c.vlayers):
        p = f"v{j}."
        for n in ("n1", "n2"):
            add(p + n + ".w", (v,), "a", 1j)
            add(p + n + ".b", (v,), "a", 0)
        add(p + "qkv.w", (3, v, v), "m")
        add(p + "qkv.b", (3, v), "a", 0)
        add(p + "o.w", (v, v), "m", gain=0.3)
        add(p + "o.b", (v,), "a", 0)
        add(p + "f1.w", (c.vinner, v), "m")
        add(p + "f1.b", (c.vinner,), "a", 0)
        add(p + "f2.w", (v, c.vinner), "m", gain=0.3)
        add(p + "f2.b", (v,), "a", 0)
    for n, o, i in (("p1", c.projector, v), ("p2", h, c.projector), ("m1", c.projector, 4 * h), ("m2", h, c.projector)):
        add(n + ".w", (o, i), "q")
        add(n + ".b", (o,), "a", 0)
    kv = c.kv_heads * c.head_dim
    for j in range(c.layers):
        p = f"t{j}."
        add(p + "n1", (h,), "a", 0)
        add(p + "n2", (h,), "a", 0)
        add(p + "qn", (c.head_dim,), "a", 0)
        add(p + "kn", (c.head_dim,), "a", 0)
        add(p + "q", (c.heads * c.head_dim, h), "m")
        add(p + "kv", (2, kv, h), "m")
        add(p + "o", (h, c.heads * c.head_dim), "m", gain=0.3)
        if j == 0:
            add(p + "gu", (2, c.dense, h), "m")
            add(p + "dn", (h, c.dense), "m", gain=0.3)
            continue
        add(p + "router", (c.experts, h), "r", gain=0.5)
        add(p + "w13", (c.experts, 2, c.expert, h), "m")
        add(p + "w2", (c.experts, h, c.expert), "m", gain=0.3)
        add(p + "sgu", (2, c.shared, h), "m")
        add(p + "sdn", (h, c.shared), "m", gain=0.3)
        add(p + "iq", (c.index_heads * c.index_dim, h), "i")
        add(p + "ik", (c.index_dim, h), "i")
        add(p + "iqn", (c.index_dim,), "r", 0)
        add(p + "ikn", (c.index_dim,), "r", 0)
    add("chars.w", (2 * c.chars, v), "a")
    add("chars.b", (2 * c.chars,), "a", 0)
    add("place.w", (c.places, h), "a")
    return out


# ---- functions of tensors (compiled as they are)

def layer_norm(x, w, b, eps):
    return F.layer_norm(x.float(), (x.shape[-1],), w.float(), b.float(), eps).to(x.dtype)


def gemma(x, w, eps):
    f = x.float()
    return (f * torch.rsqrt(f.pow(2).mean(-1, keepdim=True) + eps) * (1 + w.float())).to(x.dtype)


def rotate(x, cos, sin):
    """x [..., D]; cos, sin [N, 1, R/2] float32: the first R dims turn, halves paired."""
    r = cos.shape[-1]
    a, b, rest = x[..., :r].float(), x[..., r:2 * r].float(), x[..., 2 * r:]
    return torch.cat([(a * cos - b * sin).to(x.dtype), (b * cos + a * sin).to(x.dtype), rest], -1)


def swiglu(g, u):
    g, u = g.float().clamp(max=7.0), u.float().clamp(-7.0, 7.0)
    return (u + 1) * g * torch.sigmoid(1.702 * g)


def v_pre(x, nw, nb, w, b, cos, sin, heads: int):
    B, N, D = x.shape
    y = layer_norm(x, nw, nb, 1e-5)
    qkv = F.linear(y, w.reshape(3 * D, D), b.reshape(3 * D)).view(B, N, 3, heads, D // heads)
    return rotate(qkv[:, :, 0], cos, sin), rotate(qkv[:, :, 1], cos, sin), qkv[:, :, 2]


def v_post(x, o, ow, ob, nw, nb, w1, b1, w2, b2):
    x = x + F.linear(o, ow, ob)
    return x + F.linear(F.gelu(F.linear(layer_norm(x, nw, nb, 1e-5), w1, b1)), w2, b2)


def t_pre(x, nw, qw, kvw, qn, kn, cos, sin, heads: int, kv: int):
    B, T, D = x.shape
    hd = qn.shape[0]
    y = gemma(x, nw, 1e-6)
    q = F.linear(y, qw).view(B, T, heads, hd)
    k = F.linear(y, kvw[0]).view(B, T, kv, hd)
    v = F.linear(y, kvw[1]).view(B, T, kv, hd)
    return rotate(gemma(q, qn, 1e-6), cos, sin), rotate(gemma(k, kn, 1e-6), cos, sin), v


def t_post_dense(x, o, ow, nw, gu, dn):
    x = x + F.linear(o, ow)
    y = gemma(x, nw, 1e-6)
    return x + F.linear(swiglu(F.linear(y, gu[0]), F.linear(y, gu[1])).to(x.dtype), dn)


def t_post_moe(x, o, ow, nw, router, bias, w13, w2, sgu, sdn, valid):
    """valid [B, T, 1]: tokens counted for the balance of the experts. All experts run; unselected ones weigh 0."""
    B, T, D = x.shape
    E, _, I, _ = w13.shape
    x = x + F.linear(o, ow)
    y = gemma(x, nw, 1e-6)
    s = torch.sigmoid(F.linear(y.float(), router))
    z = s.detach() + bias
    first = z == z.amax(-1, keepdim=True)
    z = torch.where(first, torch.full_like(z, -1e9), z)
    sel = (first | (z == z.amax(-1, keepdim=True))).float()
    p = s * sel
    p = p / (p.sum(-1, keepdim=True) + 1e-20) * 2.0
    h = F.linear(y, w13.reshape(E * 2 * I, D)).view(B, T, E, 2, I)
    a = (swiglu(h[:, :, :, 0], h[:, :, :, 1]) * p.unsqueeze(-1)).to(x.dtype).reshape(B, T, E * I)
    out = F.linear(a, w2.permute(1, 0, 2).reshape(D, E * I))
    out = out + F.linear(swiglu(F.linear(y, sgu[0]), F.linear(y, sgu[1])).to(x.dtype), sdn)
    return x + out, (sel * valid).sum((0, 1))


def projector(x, w1, b1, w2, b2, w3, b3, w4, b4):
    B, N, _ = x.shape
    y = F.linear(F.gelu(F.linear(x, w1, b1)), w2, b2).reshape(B, N // 4, 4 * w2.shape[0])
    return F.linear(F.gelu(F.linear(y, w3, b3)), w4, b4)


def lm_loss(h, nw, head, target, weight):
    """h [B, S, D] states, target [B, S] next ids, weight [B, S]. -> weighted sums: loss, loss of content, right content."""
    logits = F.linear(gemma(h, nw, 1e-6), head).float()
    ce = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), target.reshape(-1), reduction="none").view(target.shape)
    full = (weight > 0.9).float()
    hit = (logits.argmax(-1) == target).float()
    return (ce * weight).sum() / weight.sum().clamp(min=1), (ce.detach() * full).sum() / full.sum().clamp(min=1), \
        (hit * full).sum() / full.sum().clamp(min=1)


def char_loss(x, w, b, label, weight):
    """x [B, N, D] tower output, label [B, N, 2] (0 blank), weight [B, N]."""
    logits = F.linear(x, w, b).float().view(-1, w.shape[0] // 2)
    lab = label.reshape(-1)
    ce = F.cross_entropy(logits, lab, reduction="none").view(label.shape)
    wt = weight.unsqueeze(-1).expand_as(ce)
    known = ((lab > 0).float() * wt.reshape(-1)).clamp(max=1)
    hit = ((logits.argmax(-1) == lab).float() * known).sum() / known.sum().clamp(min=1)
    return (ce * wt).sum() / wt.sum().clamp(min=1), hit


def place_loss(x, w, labels):
    """x [B, M, D] image tokens, labels [M, 4]."""
    logits = F.linear(x, w).float()
    total, at, hit = 0.0, 0, 1.0
    for i, n in enumerate((64, 64, 128, 128)):
        part = logits[..., at:at + n]
        lab = labels[:, i].unsqueeze(0).expand(x.shape[0], -1)
        total = total + F.cross_entropy(part.reshape(-1, n), lab.reshape(-1))
        if i < 2:
            hit = hit * (part.argmax(-1) == lab).float()
        at += n
    return total / 2, hit.mean()


FUNCS = dict(v_pre=v_pre, v_post=v_post, t_pre=t_pre, t_post_dense=t_post_dense, t_post_moe=t_post_moe, projector=projector,
             lm_loss=lm_loss, char_loss=char_loss, place_loss=place_loss)

# argument: dimensions that vary from batch to batch
BN = (0, 1)
FREE = dict(v_pre=[(0, BN), (5, (0,)), (6, (0,))], v_post=[(0, BN), (1, BN)], t_pre=[(0, BN), (6, (0,)), (7, (0,))],
            t_post_dense=[(0, BN), (1, BN)], t_post_moe=[(0, BN), (1, BN), (10, BN)], projector=[(0, BN)],
            lm_loss=[(0, BN), (3, BN), (4, BN)], char_loss=[(0, BN), (3, BN), (4, BN)], place_loss=[(0, BN), (2, (0,))])


def attention(q, k, v, causal):
    """[B, N, H, D] each; -> [B, N, H * D]"""
    g = q.shape[2] // k.shape[2]
    q, k, v = (z.transpose(1, 2) for z in (q, k, v))
    if g > 1:
        B, K, N, D = k.shape
        k = k.unsqueeze(2).expand(B, K, g, N, D).reshape(B, K * g, N, D)
        v = v.unsqueeze(2).expand(B, K, g, N, D).reshape(B, K * g, N, D)
    if hasattr(F, "scaled_dot_product_attention"):
        o = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    else:
        s = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if causal:
            n = s.shape[-1]
            s = s.masked_fill(torch.ones(n, n, dtype=torch.bool, device=s.device).triu(1), float("-inf"))
        o = s.float().softmax(-1).to(v.dtype) @ v
    return o.transpose(1, 2).reshape(q.shape[0], q.shape[2], -1)


def fake_mxfp8(x):
    """Round float32 values to E4M3 with one power of two per 32 (flat, aligned). -> (values, exponents)"""
    g = x.view(-1, 32)
    amax = g.abs().amax(1, keepdim=True)
    # the smallest exponent at which the largest value does not exceed 448
    e = torch.ceil(torch.log2(amax.clamp(min=1e-30) / 448.0)).clamp(-126, 126)
    e = torch.where(amax * torch.exp2(-e) > 448.0, e + 1, e)
    s = g * torch.exp2(-e)
    ulp = torch.exp2(torch.floor(torch.log2(s.abs().clamp(min=2.0 ** -6))).clamp(-6, 8) - 3)
    q = (torch.round(s / ulp) * ulp).clamp(-448.0, 448.0)
    return (q * torch.exp2(e)).view_as(x), e.view(-1)


class Model:
    def __init__(self, config, device="cpu", dtype=torch.float32, seed=0):
        self.c, self.device, self.dtype = config, device, dtype
        self.f = dict(FUNCS)
        order = {"a": 0, "q": 1, "m": 2, "i": 3, "r": 4}
        # equal matrices side by side: the optimiser takes them as one batch
        spec = sorted(parameters(config), key=lambda s: (order[s[2]], s[1][-2:] if s[2] == "m" else ()))
        self.spec, self.where, ends, at = spec, {}, {}, 0
        for name, shape, group, _ in spec:
            if group == "r" and "i" in ends and "r" not in ends:
                at = 0
            self.where[name] = (at, shape, group)
            at += (math.prod(shape) + 63) // 64 * 64
            ends[group] = at
        self.ends = ends
        self.work = torch.zeros(ends["i"], dtype=dtype, device=device)
        self.fp32 = torch.zeros(ends["r"], dtype=torch.float32, device=device)
        self.grad_work, self.grad_fp32 = torch.zeros_like(self.work), torch.zeros_like(self.fp32)
        self.master = torch.zeros(ends["i"], dtype=torch.float32, device=device)
        self.bias = torch.zeros(config.layers, config.experts, device=device)
        self.p = {}
        gen = torch.Generator().manual_seed(seed)
        for name, shape, group, std in spec:
            init = torch.ones(shape) if std == 1j else torch.randn(shape, generator=gen) * float(std)
            flat = self.fp32 if group == "r" else self.work
            view = self._view(flat, name).detach()
            (self._view(self.fp32 if group == "r" else self.master, name)).copy_(init)
            view.requires_grad_()
            view.grad = self._view(self.grad_fp32 if group == "r" else self.grad_work, name)
            self.p[name] = view
        self.refresh(False)
        self.rope_cache = {}
        self.pad = -1  # id of the filler at the end of suffixes

    def _view(self, flat, name):
        at, shape, _ = self.where[name]
        return flat[at:at + math.prod(shape)].view(shape)

    def weight(self, name):
        """The float32 master of a weight."""
        return self._view(self.fp32 if self.where[name][2] == "r" else self.master, name)

    @torch.no_grad()
    def refresh(self, quantised):
        """Work weights from the masters; quantised: through MXFP8."""
        self.work.copy_(self.master)
        if quantised:
            a, b = self.ends["a"], self.ends["i"]
            self.work[a:b].copy_(fake_mxfp8(self.master[a:b])[0])

    def compile(self):
        """Batch and length are free in the compiled functions, all other sizes fixed."""
        import torch._dynamo
        mark = getattr(torch._dynamo, "maybe_mark_dynamic", None)

        def wrap(f, free):
            g = torch.compile(f)

            def call(*args):
                if mark:
                    for i, dims in free:
                        for d in dims:
                            if args[i].shape[d] > 1:
                                mark(args[i], d)
                return g(*args)
            return call

        self.f = {n: wrap(f, FREE[n]) for n, f in FUNCS.items()}

    def eager(self):
        self.f = dict(FUNCS)

    # ---- tables

    def text_rope(self, start, n):
        key = ("t", start, n)
        if key not in self.rope_cache:
            r = self.c.rotary
            inv = 1.0 / self.c.theta ** (torch.arange(0, r, 2).float() / r)
            ang = torch.arange(start, start + n).float()[:, None] * inv
            self.rope_cache[key] = (ang.cos()[:, None].to(self.device), ang.sin()[:, None].to(self.device))
        return self.rope_cache[key]

    def vision_rope(self, gh, gw):
        key = ("v", gh, gw)
        if key not in self.rope_cache:
            d = self.c.vhidden // self.c.vheads
            axis = 2 * ((2 * (d // 2) // 3) // 2)
            inv = 1.0 / self.c.vtheta ** (torch.arange(0, axis, 2).float() / axis)
            y, x = self.grid(gh, gw)
            ang = torch.cat([torch.zeros(gh * gw, axis // 2), y[:, None].float() * inv, x[:, None].float() * inv], 1)
            self.rope_cache[key] = (ang.cos()[:, None].to(self.device), ang.sin()[:, None].to(self.device))
        return self.rope_cache[key]

    @staticmethod
    def grid(gh, gw):
        """Row and column of every patch, in the order of the rows of pixel_values."""
        y, x = torch.meshgrid(torch.arange(gh), torch.arange(gw), indexing="ij")
        order = lambda z: z.view(gh // 2, 2, gw // 2, 2).permute(0, 2, 1, 3).reshape(-1)
        return order(y), order(x)

    def place_labels(self, gh, gw):
        key = ("p", gh, gw)
        if key not in self.rope_cache:
            mh, mw = gh // 2, gw // 2
            r, c = torch.meshgrid(torch.arange(mh), torch.arange(mw), indexing="ij")
            r, c = r.reshape(-1), c.reshape(-1)
            lab = torch.stack([r, c, ((r + 0.5) / mh * 128).long(), ((c + 0.5) / mw * 128).long()], 1)
            self.rope_cache[key] = lab.to(self.device)
        return self.rope_cache[key]

    # ---- forward

    def patches(self, img):
        """uint8 [B, H, W, 3] -> [B, N, 588] in the released order (one temporal slice)."""
        B, H, W, _ = img.shape
        s = self.c.patch
        x = img.view(B, H // s // 2, 2, s, W // s // 2, 2, s, 3).permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(B, -1, 3, s * s)
        mean = torch.tensor(MEAN, device=img.device) * 255.0
        std = torch.tensor(STD, device=img.device) * 255.0
        return ((x.float() - mean[:, None]) / std[:, None]).to(self.dtype).view(B, -1, 3 * s * s)

    def vision(self, img):
        """-> (image tokens [B, M, hidden], tower output [B, N, vhidden])"""
        c, p, f = self.c, self.p, self.f
        x = F.linear(self.patches(img), p["patch"].to(self.dtype))
        x = layer_norm(x, p["pre.w"], p["pre.b"], c.veps)
        cos, sin = self.vision_rope(img.shape[1] // c.patch, img.shape[2] // c.patch)
        for j in range(c.vlayers):
            n = f"v{j}."
            q, k, v = f["v_pre"](x, p[n + "n1.w"], p[n + "n1.b"], p[n + "qkv.w"], p[n + "qkv.b"], cos, sin, c.vheads)
            o = attention(q, k, v, False)
            x = f["v_post"](x, o, p[n + "o.w"], p[n + "o.b"], p[n + "n2.w"], p[n + "n2.b"], p[n + "f1.w"], p[n + "f1.b"],
                            p[n + "f2.w"], p[n + "f2.b"])
        y = f["projector"](x, p["p1.w"], p["p1.b"], p["p2.w"], p["p2.b"], p["m1.w"], p["m1.b"], p["m2.w"], p["m2.b"])
        return y, x

    def text(self, x, valid, mid_layer=None, index=None):
        """x [B, T, hidden]; -> (states before the final norm, counts [layers, experts], states half-way).
        index: called as index(layer, normed input, q, k) for every sparse layer."""
        c, p, f = self.c, self.p, self.f
        cos, sin = self.text_rope(0, x.shape[1])
        counts, mid = [torch.zeros(c.experts, device=x.device)], None
        for j in range(c.layers):
            n = f"t{j}."
            q, k, v = f["t_pre"](x, p[n + "n1"], p[n + "q"], p[n + "kv"], p[n + "qn"], p[n + "kn"], cos, sin, c.heads, c.kv_heads)
            if index is not None and j > 0:
                index(j, x, q, k)
            o = attention(q, k, v, True)
            if j == 0:
                x = f["t_post_dense"](x, o, p[n + "o"], p[n + "n2"], p[n + "gu"], p[n + "dn"])
            else:
                x, cnt = f["t_post_moe"](x, o, p[n + "o"], p[n + "n2"], p[n + "router"], self.bias[j], p[n + "w13"], p[n + "w2"],
                                         p[n + "sgu"], p[n + "sdn"], valid)
                counts.append(cnt.detach())
            if j == mid_layer:
                mid = x
        return x, torch.stack(counts), mid

    def embed(self, ids):
        return F.embedding(ids, self.p["embed"])

    def assemble(self, prefix, image, suffix):
        """prefix ids [P], image tokens [B, M, H], suffix ids [B, S] -> [B, P + M + S, H]"""
        B = image.shape[0]
        return torch.cat([self.embed(prefix).unsqueeze(0).expand(B, -1, -1), image, self.embed(suffix)], 1)

    def losses(self, img, prefix, suffix, weight, chars, char_weight):
        """-> (loss, counts, stats tensor)"""
        c, p, f = self.c, self.p, self.f
        image, tower = self.vision(img)
        x = self.assemble(prefix, image, suffix)
        P, M = prefix.shape[0], image.shape[1]
        valid = torch.ones(x.shape[0], x.shape[1], 1, device=x.device)
        valid[:, P + M:, 0] = (suffix != self.pad).float()
        h, counts, mid = self.text(x, valid, c.layers // 2 - 1)
        lm, content, right = f["lm_loss"](h[:, P + M:-1].contiguous(), p["norm"], p["head"], suffix[:, 1:].contiguous(), weight[:, 1:].contiguous())
        ch, acc = f["char_loss"](tower, p["chars.w"], p["chars.b"], chars, char_weight)
        pl, pacc = f["place_loss"](mid[:, P:P + M].contiguous(), p["place.w"],
                                   self.place_labels(img.shape[1] // c.patch, img.shape[2] // c.patch))
        loss = lm + ch + 0.1 * pl
        return loss, counts, torch.stack([lm.detach(), content.detach(), right.detach(), ch.detach(), acc.detach(), pl.detach(), pacc.detach()])

    @torch.no_grad()
    def generate(self, img, prefix, prompts, stop, limit=80, forced=None):
        """Greedy, without a cache. prompts: list of id lists. -> list of id lists"""
        saved, self.f = self.f, dict(FUNCS)
        try:
            image, _ = self.vision(img)
            dev, B = img.device, len(prompts)
            seqs, done = [list(q) for q in prompts], [False] * B
            size = (max(map(len, seqs)) + limit + 63) // 64 * 64
            ids = torch.zeros(B, size, dtype=torch.long)
            for i, q in enumerate(seqs):
                ids[i, :len(q)] = torch.tensor(q)
            ids, base = ids.to(dev), prefix.shape[0] + image.shape[1]
            valid = torch.ones(1, 1, 1, device=dev)
            row = torch.arange(B, device=dev)
            pos = torch.tensor([len(q) for q in seqs], device=dev)
            for step in range(limit):
                top = (int(max(map(len, prompts))) + step + 63) // 64 * 64
                x = self.assemble(prefix, image, ids[:, :min(top, size)])
                h, _, _ = self.text(x, valid)
                last = gemma(h[row, base + pos - 1], self.p["norm"], self.c.eps)
                nxt = F.linear(last, self.p["head"]).float().argmax(-1)
                ids[row, pos] = nxt
                pos = pos + 1
                for i, t in enumerate(nxt.tolist()):
                    if not done[i]:
                        if t == stop:
                            done[i] = True
                        else:
                            seqs[i].append(t)
                if all(done):
                    break
            return [s[len(q):] for s, q in zip(seqs, prompts)]
        finally:
            self.f = saved


def index_scores(m, j, x):
    """Index queries [B, T, G, D] and keys [B, T, D] of layer j (x: the layer's input)."""
    c, p, n = m.c, m.p, f"t{j}."
    cos, sin = m.text_rope(0, x.shape[1])
    y = gemma(x, p[n + "n1"], c.eps)
    iq = F.linear(y, p[n + "iq"]).view(*x.shape[:2], c.index_heads, c.index_dim)
    ik = F.linear(y, p[n + "ik"]).view(*x.shape[:2], 1, c.index_dim)
    return rotate(gemma(iq, p[n + "iqn"], c.eps), cos, sin), rotate(gemma(ik, p[n + "ikn"], c.eps), cos, sin)[:, :, 0]
