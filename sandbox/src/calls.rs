//! System calls that no context file needs, and that lead out of a sandbox or deep into the kernel: they are refused.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter, sock_filter,
};

use crate::order::Order;
use crate::{Error, Part, Result};

/// Into other processes, other file systems, other namespaces; keys; and what the kernel lets programs do to itself.
const REFUSED: [libc::c_long; 36] = [
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
];
/// New namespaces, wherever clone(2) is asked for one.
const NEW_NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// From this number on calls are those of another set (x32, on x86_64), by which all of the above could be made as well.
const OTHER_SET: u32 = 0x4000_0000;

/// From now on these calls fail in this process and its children.
pub(crate) fn refuse(order: &Order) -> Result<()> {
    let missing = |why: String| Error::Missing {
        part: Part::Seccomp,
        why,
    };
    for program in programs(order).map_err(|why| missing(why.to_string()))? {
        apply_filter(&program).map_err(|why| missing(why.to_string()))?;
    }
    Ok(())
}

fn programs(order: &Order) -> seccompiler::Result<[BpfProgram; 3]> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
    let clones = NEW_NAMESPACES.into_iter().map(has_flag);
    rules.insert(libc::SYS_clone, clones.collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_socket, vec![other_family(order)?]);
    // Its flags lie in memory, where no filter can look: programs go on to clone(2) where there is none.
    let newer = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    Ok([
        program(rules, libc::EPERM)?,
        program(newer, libc::ENOSYS)?,
        without_other_set(),
    ])
}

/// The crate's rules are for single calls: this is what seccomp(2) is given for a range.
fn without_other_set() -> BpfProgram {
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs()).into();
    let instruction = |code: u32, jt, jf, k| sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    vec![
        // The call's number is the first word of what the filter is shown.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, OTHER_SET),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, refused),
        instruction(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            SeccompAction::Allow.into(),
        ),
    ]
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    refusal: libc::c_int,
) -> seccompiler::Result<BpfProgram> {
    let refusal = SeccompAction::Errno(refusal.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, arch)?;
    Ok(filter.try_into()?)
}

fn has_flag(flag: libc::c_int) -> Result<SeccompRule, seccompiler::BackendError> {
    let flag = u64::from(flag.unsigned_abs());
    let operator = SeccompCmpOp::MaskedEq(flag);
    SeccompRule::new(vec![SeccompCondition::new(
        0,
        SeccompCmpArgLen::Qword,
        operator,
        flag,
    )?])
}

/// Sockets of any family but those that are of use, and that the other parts keep an eye on.
fn other_family(order: &Order) -> Result<SeccompRule, seccompiler::BackendError> {
    let is_cut_off = !order.network && !order.has(Part::Namespaces);
    let families: &[libc::c_int] = match is_cut_off {
        true => &[libc::AF_UNIX],
        false => &[
            libc::AF_UNIX,
            libc::AF_INET,
            libc::AF_INET6,
            libc::AF_NETLINK,
        ],
    };
    let is_other = |family: &libc::c_int| {
        let family = u64::from(family.unsigned_abs());
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family)
    };
    SeccompRule::new(families.iter().map(is_other).collect::<Result<_, _>>()?)
}
