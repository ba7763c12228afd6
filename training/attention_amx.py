"""Attention on a processor with AMX in place of PyTorch's own: use_amx_attention(). Run as a program, it compares and times the two."""
import os
import subprocess
import sys
import sysconfig
import time
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import torch
import torch.nn.functional as F

SOURCE = Path(__file__).with_name('attention_amx.cc')
usual_attention = F.scaled_dot_product_attention


def build(folder):
    """The compiled module, made in `folder` unless a newer one is there."""
    library = Path(folder, 'attention_amx.so')
    if not library.exists() or library.stat().st_mtime < SOURCE.stat().st_mtime:
        torch_dir = Path(torch.__file__).parent
        include = [torch_dir / 'include', torch_dir / 'include/torch/csrc/api/include', sysconfig.get_paths()['include']]
        subprocess.run([os.environ.get('CXX', 'g++'), '-O3', '-march=sapphirerapids', '-std=c++20', '-shared', '-fPIC', '-fopenmp',
                        '-DTORCH_EXTENSION_NAME=attention_amx', *(f'-I{path}' for path in include), SOURCE, '-o', library, f'-L{torch_dir}/lib',
                        '-ltorch', '-ltorch_cpu', '-ltorch_python', '-lc10'], check=True)
    loader = ExtensionFileLoader('attention_amx', str(library))
    module = module_from_spec(spec_from_loader('attention_amx', loader))
    loader.exec_module(module)
    return module


def use_amx_attention(folder):
    """From now on model.py computes attention with it, compiled by torch.compile or not. folder: where it is built."""
    native = build(folder)

    @torch.library.custom_op('glyph::attention', mutates_args=())
    def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> tuple[torch.Tensor, torch.Tensor]:
        return tuple(native.forward(q, k, v, causal))

    @attention.register_fake
    def _(q, k, v, causal):
        return torch.empty(q.shape, dtype=q.dtype), torch.empty(q.shape[:3], dtype=torch.float32)

    @torch.library.custom_op('glyph::attention_backward', mutates_args=())
    def attention_backward(grad: torch.Tensor, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, out: torch.Tensor, sums: torch.Tensor,
                           causal: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return tuple(native.backward(grad, q, k, v, out, sums, causal))

    @attention_backward.register_fake
    def _(grad, q, k, v, out, sums, causal):
        return tuple(torch.empty(t.shape, dtype=t.dtype) for t in (q, k, v))

    def keep(ctx, inputs, output):
        *tensors, ctx.causal = inputs
        ctx.save_for_backward(*tensors, *output)

    def gradients(ctx, grad, _):
        return *attention_backward(grad, *ctx.saved_tensors, ctx.causal), None

    attention.register_autograd(gradients, setup_context=keep)
    F.scaled_dot_product_attention = lambda q, k, v, is_causal=False, enable_gqa=False: attention(q, k, v, is_causal)[0]


def compare():
    torch.manual_seed(0)
    for batch, heads, kv_heads, length, causal in ((1, 2, 2, 77, False), (2, 4, 2, 300, True), (1, 8, 4, 1111, True), (1, 6, 6, 4368, False)):
        inputs = [torch.randn(batch, count, length, 64).bfloat16().requires_grad_() for count in (heads, kv_heads, kv_heads)]
        grad = torch.randn(batch, heads, length, 64).bfloat16()
        outcomes, seconds = [], []
        for attention in (usual_attention, F.scaled_dot_product_attention):
            for t in inputs:
                t.grad = None
            begin = time.time()
            out = attention(*inputs, is_causal=causal, enable_gqa=True)
            out.backward(grad)
            seconds.append(time.time() - begin)
            outcomes.append([out.detach().float()] + [t.grad.float() for t in inputs])
        apart = [((a - b).norm() / a.norm()).item() for a, b in zip(*outcomes)]
        print(f'{length} {"causal" if causal else "full"}: apart by', *(f'{x:.4f}' for x in apart), '| seconds', *(f'{s:.3f}' for s in seconds))
        assert max(apart) < 0.01, apart


if __name__ == '__main__':
    use_amx_attention(sys.argv[1])
    compare()
