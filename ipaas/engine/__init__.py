"""The engine: from a compiled workflow and a trigger to an outcome.

Import from the modules: `runner` executes runs, `scheduler` starts them, `interpreter` walks one, `live_host` and `dry_host` perform its steps.
"""
