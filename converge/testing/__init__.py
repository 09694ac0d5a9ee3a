"""The laws of providers, also for the tests of a third party's package.

A *specimen* puts a machine (a folder that is used as a root) into a state and returns the parameters of a resource.
Each law is tried on each specimen, on a new machine each time:

    from converge.testing import LAWS, Specimen, machines

    SPECIMENS = [Specimen("notice", no_notice), Specimen("notice", another_text)]

    @pytest.mark.parametrize("law", LAWS)
    @pytest.mark.parametrize("specimen", SPECIMENS, ids=str)
    def test_law(law, specimen, tmp_path):
        law(machines(specimen, tmp_path))

A broken law raises AssertionError.
"""

from converge.testing.case import Case, Machines, Specimen, machines
from converge.testing.laws import LAWS, Law

__all__ = ["LAWS", "Case", "Law", "Machines", "Specimen", "machines"]
