"""How Numba compiles kernels and their parts: by the passes that these need, without making each part machine code.

Numba's own pipeline has passes for closures, generators and the like, and has LLVM make code of every function, though
a kernel's object is made of the whole kernel later, see `compiling`. Without these, compiling takes about 0.85
of the time. https://numba.readthedocs.io/en/stable/developer/custom_pipeline.html
"""

from typing import Any

from numba import _dynfunc  # type: ignore[attr-defined]  # compiled
from numba.core import typed_passes, untyped_passes
from numba.core.codegen import AOTCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager, register_pass


class _Library(AOTCodeLibrary):
    """LLVM's module of a function and of what it calls, to be linked to others."""

    def _finalize_final_module(self) -> None:
        self._finalized = True  # it isn't put where Numba runs code from


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(typed_passes.NativeLowering):
    """Makes an optimized module of a function, no code; others can call it all the same."""

    _name = "lowering of kernels"

    def run_pass(self, state: Any) -> bool:
        context, name = state.targetctx, state.func_id.func_name
        state.flags.no_compile = True
        state.library = _Library(context.codegen(), state.func_id.func_qualname)
        super().run_pass(state)
        state.library.finalize()
        lowered = state.cr
        # what stands for a function among Numba's functions; it has no address, and Python can't call it
        function = _dynfunc.make_function(lowered.fndesc.lookup_module(), name, "", 0, lowered.env, ())
        context.insert_user_function(function, lowered.fndesc, [state.library])
        state.cr = lowered._replace(cfunc=function)
        return True


class KernelCompiler(CompilerBase):
    """What `numba.njit` takes for its `pipeline_class`."""

    PASSES = (
        untyped_passes.TranslateByteCode,
        untyped_passes.FixupArgs,
        untyped_passes.IRProcessing,
        untyped_passes.RewriteSemanticConstants,
        untyped_passes.DeadBranchPrune,
        untyped_passes.GenericRewrites,
        untyped_passes.InlineInlinables,
        untyped_passes.DeadBranchPrune,
        untyped_passes.ReconstructSSA,
        untyped_passes.DeadBranchPrune,
        typed_passes.NopythonTypeInference,
        typed_passes.PreLowerStripPhis,
        typed_passes.NopythonRewrites,
        typed_passes.IRLegalization,
        typed_passes.AnnotateTypes,
        _Lowering,
        typed_passes.NoPythonBackend,
    )

    def define_pipelines(self) -> list[Any]:
        """Return the passes, in order."""
        passes = PassManager("kernels")
        for each in self.PASSES:
            passes.add_pass(each, each.__name__)
        passes.finalize()
        return [passes]
