"""Trains sprout. One process per GPU (torchrun), or one on a CPU for a small try.

Everything that changes over time follows the wall clock: --minutes is the training time
of all parts together, and the checkpoint knows how much of it is spent."""
import argparse
import json
import math
import os
import sys
import threading
import time
import traceback

os.environ.setdefault("OMP_NUM_THREADS", "4")

import data
import export
import model as M

ap = argparse.ArgumentParser()
ap.add_argument("--dir", default="/tmp/sprout", help="checkpoints, on the local disk")
ap.add_argument("--carry", default=".carry", help="libscene.so, assets, bank.bin, earlier snapshot")
ap.add_argument("--out", default="", help="where snapshots and the log go")
ap.add_argument("--minutes", type=float, default=24.0)
ap.add_argument("--until", type=float, default=0, help="time of day (seconds) at which this part must be over")
ap.add_argument("--seconds", type=float, default=0, help="or its length")
ap.add_argument("--last", action="store_true", help="finish: decay to zero by the end of this part, then export")
ap.add_argument("--mb", type=int, default=32, help="scenes of 1036x756 a GPU and step")
ap.add_argument("--acc", type=int, default=1)
ap.add_argument("--lr", type=float, default=1.0)
ap.add_argument("--small", type=float, default=0.40, help="share of the time at small pictures")
ap.add_argument("--decay", type=float, default=0.55)
ap.add_argument("--quant", type=float, default=0.15, help="share of the time, at the end, with rounded weights")
ap.add_argument("--workers", type=int, default=0)
ap.add_argument("--eval-every", type=float, default=150)
ap.add_argument("--eval-n", type=int, default=0, help="scenes a GPU")
ap.add_argument("--save-every", type=float, default=170)
ap.add_argument("--index-seconds", type=float, default=40)
ap.add_argument("--phase", default="main", choices=["main", "index"])
ap.add_argument("--no-compile", action="store_true")
ap.add_argument("--attention", default="auto", choices=["auto", "flash", "cudnn", "default"])
ap.add_argument("--trial", action="store_true", help="print speed and memory for every size, no checkpoint")
ap.add_argument("--tiny", action="store_true", help="toy shape")
ap.add_argument("--stub", action="store_true", help="made-up scenes without the generator")
ap.add_argument("--max-steps", type=int, default=1 << 60)
ap.add_argument("--log-every", type=int, default=50)
ap.add_argument("--seed", type=int, default=0)
A = ap.parse_args()

RANK, WORLD = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
LOCAL = int(os.environ.get("LOCAL_RANK", 0))
T0 = time.time()
UNTIL = A.until or (T0 + A.seconds if A.seconds else T0 + 1e9)
SIZES = data.TINY_SIZES if A.tiny else data.SIZES
A.eval_n = A.eval_n or max(32, 128 // WORLD)
BEAT = [time.time() + 120]   # last sign of life; starting and compiling may take longer


def log(*a):
    if RANK == 0:
        line = " ".join(str(x) for x in a)
        print(line, flush=True)
        if A.out:
            with open(os.path.join(A.out, "train.log"), "a") as f:
                f.write(line + "\n")


def watch():
    """Ends a process that hangs (in a collective, say), so that the caller can try again."""
    while True:
        time.sleep(5)
        if time.time() - BEAT[0] > 120:
            print(f"rank {RANK}: nothing happened for 120 s, ending", flush=True)
            os._exit(3)


def start_loader(start, full):
    """Before CUDA starts: the workers are forks."""
    packer = data.Packer()
    src = data.Source(A.carry, A.stub)
    cores = len(os.sched_getaffinity(0))
    per = A.workers or max(1, cores // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", 1))) - 2)
    return data.Loader(src, packer, A.mb, per, RANK, WORLD, start, full, A.seed + 1, SIZES), src, packer


def peek():
    """Step counters of the checkpoint or the carried snapshot, without loading it on a device."""
    for path in (os.path.join(A.dir, "state.json"), os.path.join(A.carry, "snapshot", "state.json")):
        if os.path.exists(path):
            with open(path) as f:
                return json.load(f), path
    return dict(step=0, batch=0, spent=0.0, phase=0, quant=False, evals=0), None


import torch  # noqa: E402  (after the environment is set)
import torch.distributed as dist  # noqa: E402


class Optimizer:
    """AdamW on the flat regions a, q and the float32 weights, Muon on the matrices of m."""

    def __init__(self, m):
        self.m = m
        e = m.ends
        self.nq, self.nm = e["q"], e["m"]
        dev = m.device
        self.m1 = torch.zeros(self.nq, device=dev)
        self.m2 = torch.zeros(self.nq, device=dev)
        self.r1, self.r2 = torch.zeros_like(m.fp32), torch.zeros_like(m.fp32)
        self.mom = torch.zeros(self.nm - self.nq, device=dev)
        self.t = 0
        self.groups = []   # (start, count, rows, columns): runs of equal matrices
        for name, shape, group, _ in m.spec:
            if group != "m":
                continue
            r, c = shape[-2:]
            at, n = m.where[name][0] - self.nq, math.prod(shape) // (r * c)
            last = self.groups[-1] if self.groups else None
            if last and last[2:] == [r, c] and last[0] + last[1] * r * c == at:
                last[1] += n
            else:
                self.groups.append([at, n, r, c])

    @staticmethod
    def orthogonal(g):
        """Newton-Schulz, five steps, on [n, r, c]."""
        x = g.to(torch.bfloat16 if g.is_cuda else torch.float32)
        flip = x.shape[1] > x.shape[2]
        if flip:
            x = x.transpose(1, 2)
        x = x / (x.float().norm(dim=(1, 2), keepdim=True).to(x.dtype) + 1e-7)
        for _ in range(5):
            y = x @ x.transpose(1, 2)
            z = -4.775 * y + 2.0315 * (y @ y)
            x = 3.4445 * x + z @ x
        return x.transpose(1, 2) if flip else x

    @staticmethod
    def adam(p, g, m1, m2, lr, t, decay=0.01):
        m1.lerp_(g, 0.1)
        m2.lerp_(g * g, 0.05)
        up = (m1 / (1 - 0.9 ** t)) / ((m2 / (1 - 0.95 ** t)).sqrt() + 1e-8)
        p.mul_(1 - lr * decay).sub_(up * lr)

    @torch.no_grad()
    def step(self, f):
        m, self.t = self.m, self.t + 1
        g = m.grad_work[:self.nm].float()
        ga, gm = g[:self.nq], g[self.nq:]
        gr = m.grad_fp32
        norm = (ga.pow(2).sum() + gr.pow(2).sum()).sqrt()
        # a step with a gradient that is no number changes nothing but the moments
        ok = torch.isfinite(norm + gm.sum())
        scale = 1.0 / norm.clamp(min=1.0)
        zero = torch.zeros((), device=m.device)
        ga, gr, gm = (torch.where(ok, z, zero) for z in (ga * scale, gr * scale, gm))
        self.adam(m.master[:self.nq], ga, self.m1, self.m2, 8e-4 * A.lr * f, self.t)
        self.adam(m.fp32, gr, self.r1, self.r2, 8e-4 * A.lr * f, self.t)
        self.mom.lerp_(gm, 0.05)
        u = gm.lerp(self.mom, 0.95)
        lr = 1e-3 * A.lr * f
        w = m.master[self.nq:self.nm]
        w.mul_(1 - lr * 0.01)
        for at, n, r, c in self.groups:
            span = slice(at, at + n * r * c)
            o = self.orthogonal(u[span].view(n, r, c))
            w[span].view(n, r, c).sub_(o.float(), alpha=lr * 0.2 * math.sqrt(max(r, c)))
        return norm

    def state(self):
        return dict(m1=self.m1, m2=self.m2, r1=self.r1, r2=self.r2, mom=self.mom, t=self.t)

    def load(self, s):
        for k in ("m1", "m2", "r1", "r2", "mom"):
            getattr(self, k).copy_(s[k])
        self.t = s["t"]


class Run:
    def __init__(self):
        self.state, path = peek()
        if A.trial:
            self.state, path = dict(step=0, batch=0, spent=0.0, phase=0, quant=False, evals=0), None
        # a trial shows the full sizes too
        full = 0 if self.state["phase"] else 1 << 60
        self.loader, self.src, self.packer = start_loader(self.state["batch"], 40 if A.trial else full)
        threading.Thread(target=watch, daemon=True).start()   # after the forks
        self.cuda = torch.cuda.is_available() and not A.tiny
        self.dev = torch.device("cuda", LOCAL) if self.cuda else torch.device("cpu")
        if self.cuda:
            torch.cuda.set_device(LOCAL)
            torch.set_float32_matmul_precision("high")
        else:
            torch.set_num_threads(2)
        self.gloo = None
        if WORLD > 1:
            dist.init_process_group("nccl" if self.cuda else "gloo")
            if self.cuda:
                try:
                    self.gloo = dist.new_group(backend="gloo")
                except Exception as e:
                    log("no gloo group:", e)
        self.fresh = 0
        self.config = M.Config(**M.TINY) if A.tiny else M.Config()
        self.m = M.Model(self.config, self.dev, torch.bfloat16 if self.cuda else torch.float32, A.seed)
        self.opt = Optimizer(self.m)
        if path and path.startswith(A.dir):
            self.load_checkpoint()
        elif path:
            export.load_snapshot(self.m, os.path.join(A.carry, "snapshot"))
            self.fresh = self.state["step"]
            log("continued from the snapshot at step", self.state["step"])
        self.m.refresh(self.state["quant"])
        self.prefix = torch.tensor(self.packer.prefix, device=self.dev)
        self.m.pad = self.packer.pad
        self.chunks = 1
        self.evals = {}
        n = sum(math.prod(s) for _, s, _, _ in self.m.spec)
        log(f"parameters {n / 1e6:.2f} M, ranks {WORLD}, workers {self.loader.W} a rank, step {self.state['step']}, "
            f"spent {self.state['spent']:.0f} s, torch {torch.__version__}, started after {time.time() - T0:.1f} s")
        self.feeder = data.Feeder(self.loader, self.dev)
        self.fast = "default"
        if self.cuda:
            self.choose_attention()
            self.try_compile()

    # ---- machinery

    def share(self, values):
        """rank 0's numbers, on every rank."""
        if WORLD == 1:
            return values
        t = torch.tensor(values, dtype=torch.float64)
        if self.gloo is None and self.cuda:
            t = t.to(self.dev)
            dist.broadcast(t, 0)
        else:
            dist.broadcast(t, 0, group=self.gloo)
        return t.tolist()

    def backend(self, name):
        b = torch.backends.cuda
        try:
            b.enable_flash_sdp(name != "cudnn")
            b.enable_mem_efficient_sdp(True)
            b.enable_math_sdp(name == "default")
            if hasattr(b, "enable_cudnn_sdp"):
                b.enable_cudnn_sdp(name in ("cudnn", "default"))
        except Exception as e:
            log("attention backend:", e)

    def choose_attention(self):
        if A.attention != "auto":
            self.fast = A.attention
            return self.backend(self.fast)
        times, outs = {}, {}
        torch.manual_seed(1)
        q0 = torch.randn(8, 3996, 3, 4, 64, device=self.dev, dtype=torch.bfloat16)
        for name in ("flash", "cudnn"):
            try:
                self.backend(name)
                q = q0.clone().requires_grad_()
                for i in range(8):
                    if i == 3:
                        torch.cuda.synchronize()
                        t = time.time()
                    q.grad = None
                    o = M.attention(q[:, :, 0], q[:, :, 1], q[:, :, 2], False)
                    o.float().pow(2).sum().backward()
                torch.cuda.synchronize()
                times[name] = (time.time() - t) / 5
                outs[name] = q.grad
            except Exception as e:
                log(f"attention {name}: {str(e)[:200]}")
        best = min(times, key=times.get) if times else "default"
        if len(outs) == 2 and best == "cudnn":
            a, b = outs["flash"].float(), outs["cudnn"].float()
            if not ((a - b).norm() / a.norm() < 0.02):
                best = "flash"
        self.fast = best
        log("attention", {k: f"{v * 1e3:.2f} ms" for k, v in times.items()}, "->", best)
        self.backend(best)

    def try_compile(self):
        """One step of each kind with compiled functions; eager ones when that fails anywhere."""
        ok = 0.0
        if not A.no_compile and hasattr(torch, "compile"):
            try:
                import torch._dynamo as dynamo
                for k, v in (("cache_size_limit", 64), ("recompile_limit", 64), ("accumulated_cache_size_limit", 512)):
                    try:
                        setattr(dynamo.config, k, v)
                    except Exception:
                        pass
                t = time.time()
                self.m.compile()
                for i in range(3):   # other sizes must not break or recompile
                    self.forward_backward(self.feeder.get(), 1.0)
                    torch.cuda.synchronize()
                    log(f"   warm-up {i}: {time.time() - t:.1f} s")
                log(f"compiled in {time.time() - t:.1f} s")
                ok = 1.0
            except Exception:
                log("compile failed on this rank:\n" + traceback.format_exc()[-1500:])
        if WORLD > 1:
            t = torch.tensor([ok], device=self.dev)
            dist.all_reduce(t, op=dist.ReduceOp.MIN)
            ok = t.item()
        if ok < 1:
            self.m.eager()
            log("running without torch.compile")
        self.m.grad_work.zero_()
        self.m.grad_fp32.zero_()

    def labels(self, cm):
        B, gh, gw2 = cm.shape
        lab = cm.view(B, gh // 2, 2, gw2 // 4, 2, 2).permute(0, 1, 3, 2, 4, 5).reshape(B, -1, 2).long()
        top = lab.amax(-1)
        weight = ((top > 0) | (torch.rand(top.shape, device=top.device) < .05)).float() * (top < 255).float()
        return lab.clamp(max=95) * (lab < 255).long(), weight

    def forward_backward(self, batch, scale):
        img, ids, wt, cm = batch
        ids, wt = ids.long(), wt.float() / 255
        lab, cw = self.labels(cm)
        while True:
            try:
                parts = [z.chunk(self.chunks) for z in (img, ids, wt, lab, cw)]
                counts = stats = 0
                n = len(parts[0])
                for part in zip(*parts):
                    loss, c, s = self.m.losses(part[0], self.prefix, *part[1:])
                    (loss * (scale / n)).backward()
                    counts, stats = counts + c, stats + s / n
                return counts, stats
            except RuntimeError as e:
                if "out of memory" not in str(e).lower() or self.chunks >= 8:
                    raise
                loss = None
                self.chunks *= 2
                print(f"rank {RANK}: out of memory, batches now in {self.chunks} pieces", flush=True)
                self.m.grad_work.zero_()
                self.m.grad_fp32.zero_()
                torch.cuda.empty_cache()

    def reduce(self, counts):
        """Mean gradients over the ranks; counts added up."""
        if WORLD == 1:
            return counts
        extra = torch.cat([self.m.grad_fp32, counts.reshape(-1).float()])
        a = dist.all_reduce(self.m.grad_work, async_op=True)
        b = dist.all_reduce(extra, async_op=True)
        a.wait()
        b.wait()
        self.m.grad_work.div_(WORLD)
        n = self.m.grad_fp32.numel()
        self.m.grad_fp32.copy_(extra[:n] / WORLD)
        return extra[n:].view(counts.shape)

    def balance(self, counts, rate):
        mean = counts[1:].mean(1, keepdim=True)
        self.m.bias[1:] += rate * torch.sign(mean - counts[1:])

    # ---- checkpoints

    def load_checkpoint(self):
        s = torch.load(os.path.join(A.dir, "ckpt.pt"), map_location=self.dev)
        self.m.master.copy_(s["master"])
        self.m.fp32.copy_(s["fp32"])
        self.m.bias.copy_(s["bias"])
        self.opt.load(s["opt"])
        log("resumed at step", self.state["step"])

    def save(self):
        if RANK:
            return
        try:
            os.makedirs(A.dir, exist_ok=True)
            tmp = os.path.join(A.dir, "ckpt.tmp")
            torch.save(dict(master=self.m.master, fp32=self.m.fp32, bias=self.m.bias, opt=self.opt.state()), tmp)
            os.replace(tmp, os.path.join(A.dir, "ckpt.pt"))
            tmp = os.path.join(A.dir, "state.tmp")
            with open(tmp, "w") as f:
                json.dump(self.state, f)
            os.replace(tmp, os.path.join(A.dir, "state.json"))
        except Exception:
            log("checkpoint failed:\n" + traceback.format_exc())

    # ---- evaluation

    def evaluate(self, n=None, tag="eval"):
        t, n = time.time(), n or A.eval_n
        size = SIZES[self.state["phase"]][0]
        key = (size, n)
        if key not in self.evals:
            self.evals[key] = data.eval_set(self.src, self.packer, size, n, RANK * 4096)
        todo = self.evals[key]
        tally = torch.zeros(8, dtype=torch.float64)   # right, asked: locate, read, multi, done
        kinds = {"locate": 0, "read": 1, "multi": 2, "free": 2, "done": 3}
        shown = []
        if self.cuda:
            self.backend("flash")
        for at in range(0, len(todo), 32):
            part = todo[at:at + 32]
            img = torch.stack([torch.from_numpy(p[0]) for p in part]).to(self.dev)
            prompts = [[self.packer.image_end] + self.packer.prompt(p[1].question) for p in part]
            outs = self.m.generate(img, self.prefix, prompts, self.packer.stop)
            for (_, it, w, h), ids in zip(part, outs):
                text = self.packer.tok.decode(ids)
                ok, k = data.right(it, text, w, h), kinds[it.kind]
                tally[2 * k] += ok
                tally[2 * k + 1] += 1
                if len(shown) < 3 and not ok:
                    shown.append((it.question, it.answer, text))
        if self.cuda:
            self.backend(self.fast)
        if WORLD > 1:
            x = tally.to(self.dev) if self.cuda else tally
            dist.all_reduce(x)
            tally = x.cpu()
        v = [tally[2 * i].item() / max(1, tally[2 * i + 1].item()) for i in range(4)]
        log(f"   {tag}@{self.state['step']} {size[0]}x{size[1]} in-box {v[0]:.3f} read {v[1]:.3f} multi {v[2]:.3f} done {v[3]:.3f}"
            f"  n {[int(tally[2 * i + 1]) for i in range(4)]}{' quantised' if self.state['quant'] else ''} ({time.time() - t:.1f} s)")
        for q, a, o in shown[:2]:
            log("      asked", repr(q), "wanted", repr(a[:150]), "got", repr(o[:150]))
        return v

    # ---- the main phase

    def progress(self, now):
        if A.last and UNTIL < T0 + 1e8:
            # whatever is left of the plan is spent by the end of this part
            p0 = min(.999, self.spent0 / (A.minutes * 60))
            return min(1.0, p0 + (1 - p0) * (now - self.begin) / max(1.0, self.end - self.begin))
        return min(1.0, (self.spent0 + now - self.begin) / (A.minutes * 60))

    def factor(self, p, step):
        # after a snapshot the moments start anew
        warm = min(1.0, (step - self.fresh + 1) / (200 if self.fresh == 0 else 60))
        return warm * max(0.0, min(1.0, (1 - p) / A.decay)) + 1e-4

    def train(self):
        self.begin, self.spent0 = time.time(), self.state["spent"]
        BEAT[0] = self.begin
        reserve = (45 + A.index_seconds if A.last else 22) if UNTIL < T0 + 1e8 else 0
        self.end = UNTIL - reserve
        last_eval = last_save = self.begin
        tl, steps0, images, stats_sum, n_stats = self.begin, self.state["step"], 0, 0, 0
        self.feeder.wait = 0.0
        p = 0.0
        while True:
            step = self.state["step"]
            if (step - steps0) % 10 == 0:
                now = BEAT[0] = time.time()
                p = self.progress(now)
                stop = now >= self.end or step - steps0 >= A.max_steps or (not A.last and p >= 1 and A.minutes > 0)
                p, stop, phase, quant, ev, sv = self.share([
                    p, float(stop), float(p >= A.small), float(p >= 1 - A.quant),
                    float(now - last_eval >= A.eval_every), float(now - last_save >= A.save_every)])
                self.state["spent"] = self.spent0 + now - self.begin
                if stop:
                    break
                if phase and not self.state["phase"]:
                    log(f"full size from batch {self.loader.next + self.loader.W * 4}, progress {p:.3f}")
                    # counted in consumed batches, which all ranks agree on
                    self.loader.switch(self.state["batch"])
                    self.state["phase"] = 1
                if quant and not self.state["quant"]:
                    log(f"rounded weights from step {step}")
                    self.state["quant"] = True
                    self.m.refresh(True)
                if ev:
                    self.evaluate()
                    last_eval = time.time()
                if sv:
                    self.save()
                    last_save = time.time()
            counts = 0
            for _ in range(A.acc):
                batch = self.feeder.get()
                self.state["batch"] += 1
                BEAT[0] = time.time()
                c, s = self.forward_backward(batch, 1.0 / A.acc)
                counts, stats_sum, n_stats = counts + c, stats_sum + s, n_stats + 1
                images += batch[0].shape[0]
            counts = self.reduce(counts)
            norm = self.opt.step(self.factor(p, step))
            self.balance(counts, 1e-3 if p < .6 else 2e-4)
            self.m.refresh(self.state["quant"])
            self.m.grad_work.zero_()
            self.m.grad_fp32.zero_()
            self.state["step"] = step = step + 1
            if step % 500 == 0 and WORLD > 1:
                for t in (self.m.master, self.m.fp32, self.m.bias):
                    dist.broadcast(t, 0)
                self.m.refresh(self.state["quant"])
            if step % A.log_every == 0 or step - steps0 in (5, 20):
                v = (stats_sum / n_stats).tolist()
                now = time.time()
                load = (counts[1:].max(1).values / counts[1:].mean(1)).max().item()
                mem = torch.cuda.max_memory_allocated() / 2 ** 30 if self.cuda else 0
                log(f"step {step} lm {v[0]:.4f} content {v[1]:.4f} acc {v[2]:.3f} char {v[3]:.3f} characc {v[4]:.3f} pos {v[5]:.3f} "
                    f"posacc {v[6]:.3f} norm {norm.item():.2f} load {load:.2f} lr {self.factor(p, step):.3f} p {p:.3f} "
                    f"{images * WORLD / max(.01, now - tl):.0f} img/s wait {self.feeder.wait:.1f} s mem {mem:.1f} GiB t={now - T0:.0f}")
                tl, images, stats_sum, n_stats, self.feeder.wait = now, 0, 0, 0, 0.0

    # ---- the index branch

    def train_index(self, seconds):
        """KL between the index branch's blocks and where the dense attention of each group looks; all else is frozen."""
        m = self.m
        names = [n for n, _, g, _ in m.spec if g == "i" or n.endswith((".iqn", ".ikn"))]
        weights = [m.weight(n) for n in names]
        mom = [(torch.zeros_like(w), torch.zeros_like(w)) for w in weights]
        end, it = time.time() + seconds, 0
        kl_sum, hit_sum, n_sum = 0.0, 0.0, 0
        while True:
            stop = self.share([float(time.time() >= end or it >= A.max_steps)])[0]
            if stop:
                break
            img, ids, _, _ = self.feeder.get()
            frames, cut = 3, 160
            n = min(6, img.shape[0] // frames)
            if n == 0:
                break
            img, ids = img[:n * frames], ids[:n * frames, :cut].long()
            losses, hits = [], []

            def hook(j, x, q, k):
                with torch.enable_grad():
                    loss, hit = self.index_loss(j, x.detach(), q.detach(), k.detach())
                    loss.backward()
                losses.append(loss.detach())
                hits.append(hit)

            with torch.no_grad():
                saved, m.f = m.f, dict(M.FUNCS)
                tokens, _ = m.vision(img)
                tokens = tokens.view(n, frames, *tokens.shape[1:])
                ids = ids.view(n, frames, cut)
                parts = [m.embed(self.prefix).unsqueeze(0).expand(n, -1, -1)]
                for k in range(frames):
                    parts += [tokens[:, k], m.embed(ids[:, k])]
                x = torch.cat(parts, 1)
                m.text(x, torch.ones(n, x.shape[1], 1, device=x.device), None, hook)
                m.f = saved
            it += 1
            BEAT[0] = time.time()
            with torch.no_grad():
                for name, w, (m1, m2) in zip(names, weights, mom):
                    g = m.p[name].grad.float()
                    if WORLD > 1:
                        dist.all_reduce(g)
                        g = g / WORLD
                    self.opt.adam(w, torch.nan_to_num(g), m1, m2, 1e-3, it, 0.0)
                m.refresh(True)
                m.grad_work.zero_()
                m.grad_fp32.zero_()
            kl_sum, hit_sum, n_sum = kl_sum + torch.stack(losses).mean(), hit_sum + torch.stack(hits).mean(), n_sum + 1
            if it in (1, 5) or it % 50 == 0:
                log(f"index step {it} kl {float(kl_sum) / n_sum:.4f} attention in the kept blocks {float(hit_sum) / n_sum:.4f} tokens {x.shape[1]}")
                kl_sum, hit_sum, n_sum = 0.0, 0.0, 0
        if WORLD > 1:
            for w in weights:
                dist.broadcast(w, 0)
            m.refresh(True)
        log(f"index branch: {it} steps")

    def index_loss(self, j, x, q, k):
        """Loss over sampled late queries; and how much of the attention the kept blocks hold."""
        c = self.config
        B, T, H, D = q.shape
        blk, nb = c.block, (T + c.block - 1) // c.block
        kk = min(c.topk, nb)
        lo = min(c.block * 2, T - 2)
        rows = torch.randint(lo, T, (160,), device=x.device)
        iq, ik = M.index_scores(self.m, j, x)
        pad = nb * blk - T
        at = torch.arange(T, device=x.device)
        future = at[None, :] > rows[:, None]
        with torch.no_grad():
            ke = k.repeat_interleave(H // k.shape[2], 2)
            s = torch.einsum("bqhd,bthd->bhqt", q[:, rows].float(), ke.float()) / math.sqrt(D)
            s = s.masked_fill(future, float("-inf")).softmax(-1)
            s = torch.nn.functional.pad(s, (0, pad)).view(B, H, len(rows), nb, blk).sum(-1)
            target = s.view(B, k.shape[2], H // k.shape[2], len(rows), nb).mean(2)
        s = torch.einsum("bqgd,btd->bgqt", iq[:, rows].float(), ik.float())
        s = s.masked_fill(future, float("-inf"))
        s = torch.nn.functional.pad(s, (0, pad), value=float("-inf")).view(B, iq.shape[2], len(rows), nb, blk).amax(-1)
        own = (rows // blk)[:, None] == torch.arange(nb, device=x.device)[None]
        with torch.no_grad():
            keep = s.masked_fill(own, float("inf")).topk(kk, -1).indices
            hit = target.gather(-1, keep).sum(-1).mean()
        # the own block is always kept: neither side counts it
        t = target.masked_fill(own, 0)
        mass = t.sum(-1, keepdim=True)
        t = t / mass.clamp(min=1e-6)
        ls = (s * 0.25).masked_fill(own, float("-inf")).log_softmax(-1)
        ls = torch.where(torch.isfinite(ls), ls, torch.zeros_like(ls))
        kl = (t * ((t + 1e-9).log() - ls)).sum(-1)
        return (kl * mass.squeeze(-1)).mean() * 4, hit

    # ---- ends

    def trial(self):
        """Speed and memory for every size."""
        log(f"machine: {os.cpu_count()} cores, " + (torch.cuda.get_device_name() if self.cuda else "CPU"))
        seen, end = {}, UNTIL - 12
        while True:
            stop = self.share([float(time.time() > end)])[0]
            if stop:
                break
            BEAT[0] = time.time()
            for _ in range(5):
                batch = self.feeder.get()
                key = tuple(batch[0].shape[1:3]) + (batch[0].shape[0], batch[1].shape[1])
                if self.cuda:
                    torch.cuda.synchronize()
                    torch.cuda.reset_peak_memory_stats()
                t = time.time()
                c, s = self.forward_backward(batch, 1.0)
                if self.cuda:
                    torch.cuda.synchronize()
                t1 = time.time()
                counts = self.reduce(c)
                self.opt.step(1e-3)
                self.balance(counts, 1e-3)
                self.m.refresh(True)
                self.m.grad_work.zero_()
                self.m.grad_fp32.zero_()
                if self.cuda:
                    torch.cuda.synchronize()
                mem = torch.cuda.max_memory_allocated() / 2 ** 30 if self.cuda else 0
                seen.setdefault(key, []).append((t1 - t, time.time() - t1, mem))
        for key, v in sorted(seen.items()):
            v = sorted(v)
            a, b = v[len(v) // 2][0], sorted(x[1] for x in v)[len(v) // 2]
            log(f"trial {key[1]}x{key[0]} scenes {key[2]} text {key[3]}: forward+backward {a * 1e3:.1f} ms, rest {b * 1e3:.1f} ms, "
                f"{key[2] / (a + b):.0f} img/s a GPU, memory {max(x[2] for x in v):.1f} GiB, {len(v)} steps")
        log(f"loader wait in all {self.feeder.wait:.1f} s of {time.time() - T0:.0f}; loss of the last step {s.tolist()}")
        self.evaluate(8, "trial eval")

    def finish(self):
        BEAT[0] = time.time()
        self.save()
        if RANK == 0 and A.out:
            try:
                log("snapshot of %.1f MiB" % export.save_snapshot(self.m, self.state, A.out))
            except Exception:
                log("snapshot failed:\n" + traceback.format_exc())
            if A.last:
                try:
                    export.export(self.m, os.path.join(A.dir, "model"))
                    export.reference(os.path.join(A.dir, "model"), os.path.join(A.dir, "sprout_ref"), self.src, self.packer, self.config,
                                     [z[:2] for z in (SIZES[1][0], SIZES[0][0])] if A.tiny else ((1036, 756), (812, 588)))
                    export.pack(A.dir, A.out)
                    log("exported")
                except Exception:
                    log("export failed:\n" + traceback.format_exc())


def main():
    os.makedirs(A.dir, exist_ok=True)
    if A.out:
        os.makedirs(A.out, exist_ok=True)
    run = Run()
    try:
        if A.trial:
            run.trial()
        elif A.phase == "index":
            run.train_index(max(5, UNTIL - 30 - time.time()))
            run.finish()
        else:
            run.train()
            run.save()
            if not A.last:
                if UNTIL - time.time() > 14:
                    run.evaluate()
            else:
                if not run.state["quant"]:
                    run.state["quant"] = True
                    run.m.refresh(True)
                run.evaluate(A.eval_n, "final eval")
                if A.index_seconds > 0:
                    keep = run.m.master.clone(), run.m.fp32.clone()
                    try:
                        run.train_index(A.index_seconds)
                    except Exception:
                        log("index phase failed, weights kept as they were:\n" + traceback.format_exc())
                        run.m.master.copy_(keep[0])
                        run.m.fp32.copy_(keep[1])
            run.finish()
        log(f"over after {time.time() - T0:.0f} s")
    finally:
        run.loader.close()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        if A.out:
            with open(os.path.join(A.out, f"error.{RANK}.txt"), "w") as f:
                f.write(traceback.format_exc())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
