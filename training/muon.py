"""Muon: momentum whose matrices are made orthogonal before they are applied (Jordan et al. 2024, "Muon: an optimizer for hidden layers in
neural networks"), with the update scaled to AdamW's size as in Liu et al. 2025, "Muon is scalable for LLM training".
"""
import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)   # of the quintic iteration; singular values end between 0.7 and 1.2
ITERATIONS = 5


def orthogonal(batch):
    """(n, rows, columns) -> the nearest matrices with singular values of about 1, by a Newton-Schulz iteration in bfloat16."""
    a, b, c = COEFFICIENTS
    x = batch.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).bfloat16()
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + torch.baddbmm(b * gram, gram, gram, alpha=c) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """For stacks (n, rows, columns) of matrices of one shape."""

    def __init__(self, stacks, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(stacks, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group['params']:
                state = self.state[p]
                if not state:
                    state['momentum'] = torch.zeros_like(p)
                momentum = state['momentum'].lerp_(p.grad, 1 - group['momentum'])
                update = orthogonal(p.grad.lerp(momentum, group['momentum']))
                size = 0.2 * max(p.shape[1:]) ** 0.5     # root mean square of the update as AdamW's
                p.mul_(1 - group['lr'] * group['weight_decay']).add_(update, alpha=-group['lr'] * size)
