"""What can go wrong with the sandbox itself. A script that fails is no exception but a `Ran`.

SandboxError
├── PackagesUnavailable the packages for scripts cannot be installed: the operator acts
├── PlanRefused         the kernel does not allow these namespaces here: the next plan is tried
└── SandboxUnavailable  no process could be had in time: the task is to be tried again, on any worker
"""


class SandboxError(Exception):
    """The machine failed, not the script."""


class PackagesUnavailable(SandboxError):
    """pip failed, or there is nowhere to put what it installs."""


class PlanRefused(SandboxError):
    """A zygote could not enter the namespaces it was told to; the text says which call failed."""


class SandboxUnavailable(SandboxError):
    """No confined process became free, or the zygote died under the script again and again."""
