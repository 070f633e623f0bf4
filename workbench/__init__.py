"""Watch click fraud being caught in real time: a workbench of Kafka, Spark's real-time mode and Jupyter.

    import workbench as wb

    connection = wb.connect()
    ...

Each name is imported when it is first used, so that the import itself takes next to no time. Which names there are, and
where each lives, stands in the stub beside this file, which is also what type checkers read.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.2.0"
