"""Each built-in provider, for mypy. Written by `make schemas`."""

from converge.providers.accounts import group as accounts_group
from converge.providers.accounts import user as accounts_user
from converge.providers.boot import bootloader_setting as boot_bootloader_setting
from converge.providers.boot import kernel_args as boot_kernel_args
from converge.providers.files import directory as files_directory
from converge.providers.files import file as files_file
from converge.providers.files import keyfile as files_keyfile
from converge.providers.files import line as files_line
from converge.providers.files import move as files_move
from converge.providers.files import permissions as files_permissions
from converge.providers.files import symlink as files_symlink
from converge.providers.flatpak import app as flatpak_app
from converge.providers.flatpak import remote as flatpak_remote
from converge.providers.identity import hostname as identity_hostname
from converge.providers.identity import locale as identity_locale
from converge.providers.identity import sysctl as identity_sysctl
from converge.providers.identity import timezone as identity_timezone
from converge.providers.network import connection as network_connection
from converge.providers.ostree import collection_id as ostree_collection_id
from converge.providers.ostree import remote as ostree_remote
from converge.providers.protocol import AnySource
from converge.providers.run import ansible as run_ansible
from converge.providers.run import command as run_command
from converge.providers.services import systemd_unit as services_systemd_unit
from converge.providers.swap import partition as swap_partition
from converge.providers.swap import swap as swap_swap
from converge.providers.swap import zram as swap_zram

TYPED: dict[str, AnySource] = {
    "ansible": run_ansible,
    "bootloader-setting": boot_bootloader_setting,
    "collection-id": ostree_collection_id,
    "command": run_command,
    "directory": files_directory,
    "file": files_file,
    "flatpak-app": flatpak_app,
    "flatpak-remote": flatpak_remote,
    "group": accounts_group,
    "hostname": identity_hostname,
    "kernel-args": boot_kernel_args,
    "keyfile": files_keyfile,
    "line": files_line,
    "locale": identity_locale,
    "move": files_move,
    "network-connection": network_connection,
    "ostree-remote": ostree_remote,
    "permissions": files_permissions,
    "swap": swap_swap,
    "swap-partition": swap_partition,
    "symlink": files_symlink,
    "sysctl": identity_sysctl,
    "systemd-unit": services_systemd_unit,
    "timezone": identity_timezone,
    "user": accounts_user,
    "zram": swap_zram,
}
