"""A hook of mkdocs: pages of the API reference, one a package, from the docstrings of its modules; navigation."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PACKAGES = ("native", "prover", "circuits", "verifier")


def pages() -> dict[str, str]:
    """Text of each page by its path."""
    found = {}
    for top in PACKAGES:
        for init in sorted((ROOT / top).rglob("__init__.py")):
            package = init.parent
            name = ".".join(package.relative_to(ROOT).parts)
            modules = [m.stem for m in sorted(package.glob("*.py")) if not m.stem.startswith("_")]
            names = [name] if init.read_text().strip() else []
            names += [f"{name}.{module}" for module in modules]
            if names:
                found[f"api/{name}.md"] = f"# {name}\n\n" + "\n".join(f"::: {n}\n" for n in names)
    return found


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds decisions, reviews and the reference to the navigation."""
    numbered = [
        {title: [f"{folder}/{path.name}" for path in sorted((ROOT / "docs" / folder).glob("*.md"))]}
        for title, folder in (("Decisions", "decisions"), ("Reviews", "reviews"))
    ]
    reference = {"API reference": [{Path(path).stem: path} for path in pages()]}
    config.nav = [*(config.nav or []), *numbered, reference]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages to the site."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files
