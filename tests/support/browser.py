"""A real JupyterLab and a real headless Chromium, to run notebooks in and look at. No tests here."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright
from polling import until
from ports import free_port

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium_path() -> str | None:
    """The Chromium or Chrome on this machine, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def assert_charts_fit_a_narrow_window(tab: Page) -> None:
    """The charts of a report follow its width and keep their height."""
    tab.set_viewport_size({"width": 900, "height": 700})
    sizes = "Array.from(document.querySelectorAll('.svg-container'), e => [e.clientWidth, e.clientHeight])"
    until(lambda: max(width for width, _ in tab.evaluate(sizes)) < 850, 30, said="the charts fit the window")
    assert min(height for _, height in tab.evaluate(sizes)) >= 400


@dataclass
class Heard:
    """What a page said and asked for while it was open."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextlib.contextmanager
def browser_page(width: int = 1280, height: int = 1000, *, offline: bool = False) -> Iterator[tuple[Page, Heard]]:
    """A page in a fresh headless Chromium, and what it says. `offline` cuts its network off."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        context = browser.new_context(viewport={"width": width, "height": height}, offline=offline)
        page, heard = context.new_page(), Heard()
        page.on("console", lambda message: heard.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: heard.errors.append(str(error)))
        page.on("request", lambda request: heard.requests.append(request.url))
        try:
            yield page, heard
        finally:
            browser.close()


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    root: Path
    token: str
    settings: Path
    folder: str = ""

    def address(self, notebook: str) -> str:
        """Where a notebook, named relative to the root, opens in a fresh workspace."""
        where = f"{self.url}/lab/tree/{self.folder}{notebook}?reset"
        return where + (f"&token={self.token}" if self.token else "")

    def within(self, folder: str) -> Lab:
        """The same with a folder, which is made, for its root."""
        (self.root / folder).mkdir()
        return Lab(self.url, self.root / folder, self.token, self.settings, f"{self.folder}{folder}/")

    def keep_all_cells(self, keep: bool = True) -> None:
        """Have pages that are opened from now on hold all cells of a notebook, not only those in sight."""
        (self.settings / "notebook-extension").mkdir(exist_ok=True)
        file = self.settings / "notebook-extension" / "tracker.jupyterlab-settings"
        file.write_text(json.dumps({"windowingMode": "none"} if keep else {}))

    def end_kernels(self) -> None:
        """End all kernels that run, and what they started."""
        for kernel in json.load(self._ask("GET", "/api/kernels")):
            self._ask("DELETE", f"/api/kernels/{kernel['id']}").close()

    def _ask(self, method: str, path: str) -> Any:
        headers = {"Authorization": f"token {self.token}"} if self.token else {}
        return urllib.request.urlopen(
            urllib.request.Request(self.url + path, headers=headers, method=method), timeout=60
        )


@contextlib.contextmanager
def jupyter_lab(root: Path, home: Path, *, token: str = "", env: dict[str, str] | None = None) -> Iterator[Lab]:
    """JupyterLab on a free loopback port with settings of its own under `home`; ends with all its kernels."""
    port = free_port()
    settings = home / "lab" / "settings" / "@jupyterlab"
    (settings / "apputils-extension").mkdir(parents=True)
    news = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "apputils-extension" / "notification.jupyterlab-settings").write_text(json.dumps(news))
    private = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "IPYTHONDIR": home / "ipython",
        "JUPYTERLAB_SETTINGS_DIR": home / "lab" / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "lab" / "ws",
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={root}",
    ]
    with (home / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **{k: str(v) for k, v in private.items()}, **(env or {})},
        )
        lab = Lab(f"http://127.0.0.1:{port}", root, token, settings)
        try:
            until(lambda: _answers(lab, server), 60, said=f"JupyterLab answers; its log is {home / 'lab.log'}")
            yield lab
        finally:
            # SIGTERM, not SIGKILL: the server shuts its kernels down first.
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _answers(lab: Lab, server: subprocess.Popen[bytes]) -> bool:
    if server.poll() is not None:
        raise AssertionError(f"JupyterLab ended with status {server.returncode}")
    try:
        with urllib.request.urlopen(
            f"{lab.url}/api" + (f"?token={lab.token}" if lab.token else ""), timeout=2
        ) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def open_notebook(page: Page, lab: Lab, notebook: str) -> None:
    """Open a notebook and wait until its kernel is idle."""
    page.goto(lab.address(notebook))
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    # The status bar names the kernel once there is one; before that, JupyterLab would ask which one to take.
    page.wait_for_selector(r"text=/\w+ \| Idle$|\) \| Idle$/", timeout=60_000)


def menu(page: Page, *names: str) -> None:
    """Click through the menus, as a user does: ``menu(page, "Run", "Run All Cells")``."""
    page.locator(".lm-MenuBar-itemLabel", has_text=names[0]).first.click()
    for name in names[1:]:
        page.locator(f'.lm-Menu-itemLabel:text-is("{name}")').last.click()


def run_all(page: Page) -> None:
    """Run every cell; returns at once."""
    menu(page, "Run", "Run All Cells")


def drawn_points(page: Page) -> int:
    """Points and bars that Plotly has really drawn on this page."""
    return page.locator(".js-plotly-plot .scatterlayer .point, .js-plotly-plot .barlayer .point").count()


def error_outputs(page: Page) -> list[str]:
    """The text of every error that a cell put out."""
    return page.locator(
        '.jp-RenderedText[data-mime-type="application/vnd.jupyter.error"], '
        '.jp-RenderedText[data-mime-type="application/vnd.jupyter.stderr"]'
    ).all_inner_texts()
