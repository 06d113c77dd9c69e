"""Text to `Workflow` or problems: strict YAML with places, the frame, expressions, types, the compiler. Knows words only.

What this room offers to others is imported at its first use: a program that only formats a duration does not wait for a compiler.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ipaas.definition.compiler import Compiled, compile_text
    from ipaas.definition.draft import CompileOptions, Signature
    from ipaas.definition.folder import Loaded, list_pipeline_files, load_files, load_folder
    from ipaas.definition.report import FORMATS, render_problems

__all__ = [
    "FORMATS",
    "CompileOptions",
    "Compiled",
    "Loaded",
    "Signature",
    "compile_text",
    "list_pipeline_files",
    "load_files",
    "load_folder",
    "render_problems",
]

_MODULES: Final = {
    "FORMATS": "report",
    "CompileOptions": "draft",
    "Compiled": "compiler",
    "Loaded": "folder",
    "Signature": "draft",
    "compile_text": "compiler",
    "list_pipeline_files": "folder",
    "load_files": "folder",
    "load_folder": "folder",
    "render_problems": "report",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
