"""The window: one server's page in Qt's web engine, and an icon in the tray. Only `ownkey desktop` loads this."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from PySide6.QtCore import (
    QByteArray,
    QProcessEnvironment,
    QSettings,
    QStandardPaths,
    QTimer,
    QtMsgType,
    QUrl,
    qInstallMessageHandler,
)
from PySide6.QtGui import QCloseEvent, QContextMenuEvent, QDesktopServices, QIcon
from PySide6.QtWebEngineCore import (
    QWebEngineDownloadRequest,
    QWebEngineNavigationRequest,
    QWebEngineNewWindowRequest,
    QWebEnginePage,
    QWebEnginePermission,
    QWebEngineProfile,
    QWebEngineSettings,
)
from PySide6.QtWebEngineWidgets import QWebEngineView
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QSystemTrayIcon

from ownkey.cli.problems import exit_code
from ownkey.talk.errors import BadConfiguration, OwnkeyError

ICON = Path(__file__).with_name("icon.svg")
SIZE = (1200, 800)
LOOK_MS = 250
AGAIN_MS = 1000

_DEVELOPERS = (
    QWebEnginePage.WebAction.ViewSource,
    QWebEnginePage.WebAction.SavePage,
    QWebEnginePage.WebAction.InspectElement,
)

# Qt's own, https://doc.qt.io/qt-6/qtwebengine-platform-notes.html
_NO_SANDBOX = "QTWEBENGINE_DISABLE_SANDBOX"

_log = logging.getLogger("ownkey")


class Asks(Struct, frozen=True):
    """What a window asks whoever opens it: an address that signs in once, what was spent, whether the server lives."""

    address: Callable[[], str]
    spent: Callable[[], str]
    alive: Callable[[], bool]


def application() -> QApplication:
    """Qt, ready. Raises BadConfiguration; where there is no display it says so and ends the process, as Qt would."""
    unshut = QProcessEnvironment.systemEnvironment().contains(_NO_SANDBOX)
    if sys.platform == "linux" and os.geteuid() == 0 and not unshut:
        raise BadConfiguration(
            "The engine cannot shut its pages in when it runs as root.", f"Run it as yourself, or set {_NO_SANDBOX}=1."
        )
    said: list[str] = []
    qInstallMessageHandler(lambda kind, context, message: _told(said, kind, message))
    app = QApplication([sys.argv[0]])
    app.setApplicationName("Ownkey")
    app.setDesktopFileName("ownkey")
    app.setWindowIcon(QIcon(str(ICON)))
    app.setQuitOnLastWindowClosed(False)
    return app


def show(app: QApplication, kept: Path, asks: Asks) -> None:
    """Until the window is closed, or quit where there is a tray, or the server is gone.

    `kept` is the file that remembers its size.
    """
    window = Window(app, QSettings(str(kept), QSettings.Format.IniFormat), asks)
    window.tray = _tray(window, asks) if QSystemTrayIcon.isSystemTrayAvailable() else None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: window.end())
    # Python hears of signals when it runs.
    timer = QTimer(window)
    timer.timeout.connect(lambda: None if asks.alive() else app.exit())
    timer.start(LOOK_MS)
    window.open()
    app.exec()


class Window(QWebEngineView):
    """Shows one origin, and nothing of it is kept. Links to elsewhere open in the system's browser."""

    def __init__(self, app: QApplication, kept: QSettings, asks: Asks) -> None:
        super().__init__()
        self.tray: QSystemTrayIcon | None = None
        self._app = app
        self._kept = kept
        self._asks = asks
        self._origin: QUrl | None = None
        # Without a name it writes nothing to disk.
        profile = QWebEngineProfile(app)
        profile.downloadRequested.connect(_save)
        page = QWebEnginePage(profile, self)
        page.navigationRequested.connect(self._navigating)
        page.newWindowRequested.connect(self._parting)
        page.permissionRequested.connect(_deny)
        page.renderProcessTerminated.connect(lambda: QTimer.singleShot(AGAIN_MS, self.reload))
        # A page may copy what is clicked; what lies in the clipboard it never reads.
        page.settings().setAttribute(QWebEngineSettings.WebAttribute.JavascriptCanAccessClipboard, True)
        for action in _DEVELOPERS:
            page.action(action).setVisible(False)
        self.setPage(page)
        self.setWindowTitle("Ownkey")
        self.titleChanged.connect(self._entitle)
        self.resize(*SIZE)
        geometry = kept.value("geometry")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)

    def open(self) -> None:
        """Show it; signed in, where it is not."""
        if self.url().isEmpty() or self.url().path() == "/sign-in":
            with suppress(OwnkeyError):
                address = QUrl(self._asks.address())
                self._origin = address
                self.load(address)
        self.showNormal() if self.isMinimized() else self.show()
        self.raise_()
        self.activateWindow()

    def called(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        """The icon in the tray was used."""
        if reason == QSystemTrayIcon.ActivationReason.Trigger:
            self.open()

    def end(self) -> None:
        self._keep()
        self._app.exit()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._keep()
        if self.tray is None or not QSystemTrayIcon.isSystemTrayAvailable():
            self._app.exit()
        elif event.spontaneous() and not self._kept.value("told"):
            self._kept.setValue("told", True)
            self.tray.showMessage("Ownkey goes on", "Your programs can still use it. Quit it from this icon's menu.")
        super().closeEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.createStandardContextMenu().popup(event.globalPos())

    def _entitle(self, title: str) -> None:
        """A page without one is called by its address, which may sign somebody in: titles are seen by every program."""
        self.setWindowTitle("Ownkey" if self.url().authority() in title else title)

    def _keep(self) -> None:
        self._kept.setValue("geometry", self.saveGeometry())

    def _is_ours(self, url: QUrl) -> bool:
        ours = self._origin
        return ours is not None and (url.scheme(), url.host(), url.port()) == (ours.scheme(), ours.host(), ours.port())

    def _navigating(self, request: QWebEngineNavigationRequest) -> None:
        if self._is_ours(request.url()):
            return
        request.reject()
        clicked = request.navigationType() == QWebEngineNavigationRequest.NavigationType.LinkClickedNavigation
        if clicked and request.isMainFrame():
            _open_outside(request.url())

    def _parting(self, request: QWebEngineNewWindowRequest) -> None:
        """There is one window. What a click asks another for goes outside, or is shown in this one."""
        if self._is_ours(request.requestedUrl()):
            self.load(request.requestedUrl())
        elif request.isUserInitiated():
            _open_outside(request.requestedUrl())


def _tray(window: Window, asks: Asks) -> QSystemTrayIcon:
    menu = QMenu(window)
    menu.addAction("Open", window.open)
    spent = menu.addAction(asks.spent())
    spent.setEnabled(False)
    menu.addSeparator()
    menu.addAction("Quit", window.end)
    menu.aboutToShow.connect(lambda: spent.setText(asks.spent()))
    tray = QSystemTrayIcon(QIcon(str(ICON)), window)
    tray.setToolTip("Ownkey")
    tray.setContextMenu(menu)
    tray.activated.connect(window.called)
    tray.show()
    return tray


def _open_outside(url: QUrl) -> None:
    """Addresses of the web, and no other kind: those could start a program."""
    if url.scheme() in ("https", "http"):
        QDesktopServices.openUrl(url)


def _deny(permission: QWebEnginePermission) -> None:
    permission.deny()


def _save(request: QWebEngineDownloadRequest) -> None:
    folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation)
    chosen, _ = QFileDialog.getSaveFileName(None, "Save", str(Path(folder) / request.downloadFileName()))
    if chosen:
        request.setDownloadDirectory(str(Path(chosen).parent))
        request.setDownloadFileName(Path(chosen).name)
        request.accept()


def _told(said: list[str], kind: QtMsgType, message: str) -> None:
    """Qt ends the process after a fatal message: better with one sentence than with a core dump.

    What is wrong Qt says before it: `said` are its last words.
    """
    if kind != QtMsgType.QtFatalMsg:
        _log.debug("Qt: %s", message)
        said.append(message)
        del said[:-3]
        return
    why = (said or [message])[0].splitlines()[0].rstrip(". ")
    error = BadConfiguration(
        f"No window can be opened: {why}.", "Run it in a desktop session; `ownkey serve` needs none."
    )
    sys.stderr.write(f"ownkey: {error}\n")
    sys.stderr.flush()
    os._exit(exit_code(error))
