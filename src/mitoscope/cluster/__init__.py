"""Where the many runs of a command are computed: in this process, or by Ray on one machine or many.

A command asks for an `Executor` by `open_executor` and hands it what is to be done for each item. Scheduling,
placement, retries and back-pressure are Ray's; what counts is what the command has recorded.
"""

from mitoscope.cluster.executor import Executor, Here, Request, open_executor
from mitoscope.cluster.joining import LOCAL, joined
from mitoscope.cluster.library import check_ray
from mitoscope.cluster.nodes import NodeReport, report_nodes
from mitoscope.cluster.ray_executor import RayExecutor, Tell, carry_out, result_of, slots_of
from mitoscope.cluster.versions import node_name, versions_of

__all__ = [
    "LOCAL",
    "Executor",
    "Here",
    "NodeReport",
    "RayExecutor",
    "Request",
    "Tell",
    "carry_out",
    "check_ray",
    "joined",
    "node_name",
    "open_executor",
    "report_nodes",
    "result_of",
    "slots_of",
    "versions_of",
]
