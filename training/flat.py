"""All parameters of a model in one buffer, all gradients in another, and a bfloat16 copy of both that the model computes with.

A step of this small model is bound by the processor that launches its kernels: hundreds of small updates, norms and copies become a few
large ones when what is treated alike lies side by side.
"""
import torch
import torch.distributed as dist

from muon import Muon


class Flat:
    """Three regions, `vision`, `heads` (the auxiliary ones of the vision tower) and `language`, that lie in this order; in each, matrices for
    Muon by shape, then what AdamW takes.

    weights, grads: (size,) float32, what the optimizers see. low, low_grads: the same in bfloat16, of which the model's parameters and their gradients
    are views: no cast of a parameter is left in a step but one of the whole buffer. Gradients are summed in place and cleared by step().
    """

    def __init__(self, model, lr, muon=True):
        self.lr = lr
        regions = {'vision': [], 'heads': [], 'language': []}
        for name, p in model.named_parameters():
            head = name.split('.')[0] in ('aux_head', 'aux_head_cell')
            regions['heads' if head else 'vision' if 'visual' in name else 'language'].append((name, p))
        total = sum(p.numel() for p in model.parameters())
        device = next(model.parameters()).device
        self.weights, self.grads = torch.zeros(total, device=device), torch.zeros(total, device=device)
        self.low, self.low_grads = (torch.zeros(total, device=device, dtype=torch.bfloat16) for _ in range(2))
        self.spans, self.optimizers, at = {}, {}, 0
        for region, named in regions.items():
            begin, groups = at, {}
            for name, p in named:
                groups.setdefault(self.kind(name, p, muon), []).append(p)
            stacks, adam = [], []
            for kind, params in groups.items():
                start = at
                for p in params:
                    self.place(p, at)
                    at += p.numel()
                shape = (len(params), *kind) if isinstance(kind, tuple) else (at - start,)
                whole = torch.nn.Parameter(self.weights[start:at].view(shape))
                whole.grad = self.grads[start:at].view(shape)
                if isinstance(kind, tuple):
                    stacks.append(whole)
                else:
                    adam.append({'params': [whole], 'weight_decay': .05 if kind == 'decays' else 0.0})
            self.spans[region] = (begin, at)
            self.optimizers[region] = [torch.optim.AdamW(adam, lr=lr, betas=(.9, .98), fused=device.type == 'cuda')]
            if stacks:
                self.optimizers[region].append(Muon(stacks, lr=lr, weight_decay=.05))

    @staticmethod
    def kind(name, p, muon):
        """The shape of a matrix for Muon, or whether AdamW lets the parameter decay."""
        if muon and p.ndim == 2 and ('.blocks.' in name or '.layers.' in name or '.merger.' in name):
            return tuple(p.shape)
        return 'decays' if p.ndim >= 2 and 'embed_tokens' not in name else 'stays'

    def place(self, p, at):
        self.weights[at:at + p.numel()].view(p.shape).copy_(p.data)
        p.data = self.low[at:at + p.numel()].view(p.shape)
        p.data.copy_(self.weights[at:at + p.numel()].view(p.shape))
        p.grad = self.low_grads[at:at + p.numel()].view(p.shape)

    def span(self, regions):
        """Where neighbouring regions lie in the buffers."""
        return slice(self.spans[regions[0]][0], self.spans[regions[-1]][1])

    def share(self):
        """Gives every GPU the parameters of the first: sums in another order let them drift apart."""
        dist.broadcast(self.weights, 0)
        self.low.copy_(self.weights)

    def step(self, regions, lr):
        """Clips the gradients of the regions to a norm of 1, updates their parameters and clears all gradients."""
        span = self.span(regions)
        if dist.is_initialized():
            dist.all_reduce(self.low_grads[span], dist.ReduceOp.AVG)
        grads = self.grads[span].copy_(self.low_grads[span])
        grads.mul_((1 / (grads.norm() + 1e-6)).clamp(max=1))
        for region in regions:
            for optimizer in self.optimizers[region]:
                for group in optimizer.param_groups:
                    group['lr'] = lr
                optimizer.step()
        self.low[span].copy_(self.weights[span])
        self.low_grads.zero_()
