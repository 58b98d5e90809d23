"""User code in single-use, confined processes: the worker's side here, the confined side in `inside`.

`inside` imports nothing but the standard library and runs under `python -I -S`, so this package and
its parents must stay free of imports in their `__init__` files.
"""
