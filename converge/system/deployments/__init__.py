"""The deployments of an ostree system, and which of them outlast the next one."""

from converge.system.deployments import rollback
from converge.system.deployments.base import TRANSIENT, Deployment, admin, deployed, gone_back_from, is_booted, staged

__all__ = ["TRANSIENT", "Deployment", "admin", "deployed", "gone_back_from", "is_booted", "rollback", "staged"]
