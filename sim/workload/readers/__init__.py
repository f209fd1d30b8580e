"""Readers, one module a format: `read(path, **options) -> Trace`. `sim.workload.load` lists them."""
