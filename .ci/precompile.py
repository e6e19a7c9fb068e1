"""Builds wheels: for any platform, or with KMEANS_FAST_PRECOMPILE=1 for this one, with code for its usual processors.

Hatchling loads this file. The objects in a platform's wheel need neither a version of Python, nor one of its C library:
they call ``memcpy`` and its like, and know the fields of NumPy's arrays by NumPy's own binary interface.
"""

import os
import platform
import subprocess
import sys
import sysconfig
import tempfile

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PRECOMPILE = os.environ.get("KMEANS_FAST_PRECOMPILE", "0") not in ("", "0")
# The oldest systems that llvmlite, which loads the objects, has wheels for.
TAGS = {"linux": "manylinux_2_17_{}", "darwin": "macosx_11_0_{}"}
COMPILE = "import sys; from kmeans_fast.warming import precompile; precompile(sys.argv[1])"


class Precompile(BuildHookInterface):
    """Adds objects to a wheel."""

    def dependencies(self):
        """Ask for what the package needs when it runs, as it compiles itself."""
        return list(self.metadata.core.dependencies) if PRECOMPILE and self.target_name == "wheel" else []

    def initialize(self, version, build_data):
        """Compile, and have what comes of it packed."""
        if not PRECOMPILE or self.target_name != "wheel" or version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory()
        # No code that is kept already is left out, and no processor but the usual ones is compiled for.
        environment = os.environ | {"PYTHONPATH": self.root, "NUMBA_CACHE_DIR": os.path.join(self._folder.name, "none")}
        environment.pop("NUMBA_CPU_NAME", None)
        objects = os.path.join(self._folder.name, "objects")
        subprocess.run([sys.executable, "-P", "-c", COMPILE, objects], env=environment, check=True)
        build_data["force_include"][objects] = "kmeans_fast/engines/shipped"
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform_tag()}"

    def finalize(self, version, build_data, artifact_path):
        """Clear up."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def _platform_tag():
    tag = TAGS.get(sys.platform, sysconfig.get_platform().replace("-", "_").replace(".", "_"))
    return tag.format(platform.machine())
