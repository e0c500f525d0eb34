"""The site's links lead where they lead on GitHub: files outside docs/ that a page links to become pages of the site.

A Markdown file, such as a report in results/, is shown with its pictures and with what it links to; a notebook, which
runs for it, as its text, code and outputs; any other file as its source.
"""

import html
import os
import re
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<=\]\()([\w./-]+)(?=[)#])")
AS_THEY_ARE = {".md", ".png", ".svg"}
LANGUAGES = {".py": "python", ".toml": "toml", ".sh": "bash"}


def on_files(files, config):
    """Add what pages link to, and what that links to in turn."""
    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        files.remove(notebook)
        files.append(_page_of(Path(notebook.abs_src_path), config))
    waiting = [DOCS / file.src_uri for file in files if file.src_uri.endswith(".md") and file.abs_src_path]
    seen = set(waiting)
    while waiting:
        page = waiting.pop()
        linked = {(page.parent / link).resolve() for link in LINK.findall(page.read_text(encoding="utf-8"))}
        for path in sorted(linked - seen):
            seen.add(path)
            if not path.is_file() or path.is_relative_to(DOCS) or not path.is_relative_to(ROOT):
                continue  # mkdocs names a link that leads nowhere
            files.append(_page_of(path, config))
            waiting += [path] if path.suffix == ".md" else []
    return files


def on_page_markdown(markdown, page, **_):
    """Point each link at the place that its file has in the site."""
    here = ROOT / page.file.repository_path if hasattr(page.file, "repository_path") else DOCS / page.file.src_uri

    def moved(match):
        path = (here.parent / match[1]).resolve()
        return os.path.relpath(_place(path), Path(page.file.src_uri).parent) if path.is_file() else match[1]

    return LINK.sub(moved, markdown)


def _place(path):
    """Where the site has a file of the repository, as a path below docs/."""
    place = path.relative_to(DOCS) if path.is_relative_to(DOCS) else "repository" / path.relative_to(ROOT)
    return str(place) + ("" if path.suffix in AS_THEY_ARE else ".md")


def _page_of(path, config):
    """A file of the repository as a file of the site."""
    if path.suffix in AS_THEY_ARE:
        file = File.generated(config, _place(path), abs_src_path=str(path))
    elif path.suffix == ".ipynb":
        file = File.generated(config, _place(path), content=_with_outputs(path.read_text(encoding="utf-8")))
    else:
        source = f"````{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text(encoding='utf-8')}\n````\n"
        text = f"---\nsearch:\n  exclude: true\n---\n\n# {path.name}\n\n{source}"
        file = File.generated(config, _place(path), content=text)
    file.repository_path = path.relative_to(ROOT)
    return file


@lru_cache
def _with_outputs(notebook):
    """A notebook as Markdown: run from top to bottom in a kernel of its own, whose error ends the build."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # Jupyter's own
        import nbclient
        import nbformat

        read = nbformat.reads(notebook, as_version=4)
        nbclient.NotebookClient(
            read,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=40"],
        ).execute()
    parts = []
    for cell in read.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        else:
            parts += [f"```python\n{cell.source}\n```", *map(_output, cell.outputs)]
    return "\n\n".join(parts)


def _output(output):
    """An output as Markdown: a picture, a table, or text."""
    data = output.get("data", {})
    if "image/png" in data:
        return f'<img class="output" alt="output" src="data:image/png;base64,{data["image/png"].strip()}">'
    if "text/html" in data:
        lines = [line for line in data["text/html"].splitlines() if line.strip()]  # an empty line would end the block
        return "\n".join(['<div class="output">', *lines, "</div>"])
    text = data.get("text/plain", output.get("text", ""))
    return f'<pre class="output">{html.escape(text.rstrip())}</pre>'
