"""torch's Adam, AdamW and Adamax, made and used without loading torch's compiler.

torch keeps `torch.compile` out of some methods of its optimisers, and these import the compiler at their first call,
whether anything is compiled or not: a thousand modules, nearly as long as the import of torch itself. The classes here
have what lies below those wrappers; numbers and state are the same. They are not for use inside a compiled function.
"""

from __future__ import annotations

from inspect import unwrap

import torch
from torch import optim

WRAPPED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def _light(kind: type[optim.Optimizer]) -> type[optim.Optimizer]:
    methods = {name: unwrap(getattr(kind, name)) for name in WRAPPED}
    # The wrapper of `step` is also what turns gradients off.
    return type(kind.__name__, (kind,), methods | {"step": torch.no_grad()(unwrap(kind.step))})


Adam, AdamW, Adamax = _light(optim.Adam), _light(optim.AdamW), _light(optim.Adamax)
