"""The deployments of an ostree system: the existing ones, and staging another one."""

from converge.system.deployments.base import Deployment, admin, deployed, is_booted, staged
from converge.system.deployments.finalizing import arrange_finalizing
from converge.system.deployments.staging import note_of, settle, stage

__all__ = ["Deployment", "admin", "arrange_finalizing", "deployed", "is_booted", "note_of", "settle", "stage", "staged"]
