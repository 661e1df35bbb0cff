// SPDX-License-Identifier: Apache-2.0
// For tests: a disk in memory, behind the vtable of os/disk.h, that keeps apart what was written
// and what was synced, and forgets as a real one may when the power goes:
//   - of what was written to a file after its last good sync, each sector of 512 bytes is kept,
//     lost or torn on its own, in any order; the size ends anywhere between old and new;
//   - every change of a folder (an entry made, linked, renamed, removed) that no sync_dir of that
//     folder followed is kept or lost on its own; a rename is kept or lost as a whole;
//   - everything synced is there. A sync that failed has dropped its dirty pages: some sectors
//     reached the disk, the others never will, though reading shows them until the crash.
// Everything follows from the seeds. thread: any; one lock around it all.
#pragma once

#include "os/disk.h"

enum { DISK_SIM_SECTOR = 512, DISK_SIM_FILE_MAX = 1 << 30 };

enum disk_sim_op {
    DISK_SIM_OPEN,
    DISK_SIM_READ,
    DISK_SIM_WRITE,
    DISK_SIM_RESERVE,
    DISK_SIM_SYNC,
    DISK_SIM_TRUNCATE,
    DISK_SIM_STAT,
    DISK_SIM_MKDIR,
    DISK_SIM_LINK,
    DISK_SIM_RENAME,
    DISK_SIM_UNLINK,
    DISK_SIM_RMDIR,
    DISK_SIM_SYNC_DIR,
    DISK_SIM_LIST,
    DISK_SIM_SPACE,
    DISK_SIM_OP_COUNT,
    DISK_SIM_ANY = DISK_SIM_OP_COUNT,
};

struct disk_sim_opts {
    uint64_t seed;             // of what a failing write or sync leaves behind
    uint64_t size_limit_bytes; // of all files together; past it ERR_LIMIT. 0 = no limit
};

// The n-th call of `op` from now on (1 = the next) goes wrong; nth = 0: none does.
// A failing write leaves a part of its bytes; a failing sync drops dirty pages.
struct disk_sim_fault {
    enum disk_sim_op op; // DISK_SIM_ANY: of any
    uint64_t nth;
    bool keep;      // so do all later calls of that op
    bool power_off; // the call may or may not take effect; it and all later calls give ERR_IO, until
                    // disk_sim_crash or disk_sim_restart
    enum err err;   // what the call returns; ERR_OK stands for ERR_IO
};

NODISCARD enum err disk_sim_new(const struct disk_sim_opts *opts, struct disk **out);
void disk_sim_free(struct disk *d); // every file must be closed

void disk_sim_arm(struct disk *d, const struct disk_sim_fault *fault); // NULL: no fault
void disk_sim_limit(struct disk *d, uint64_t size_limit_bytes);
bool disk_sim_is_down(struct disk *d);

// The power fails and comes back. Every file must have been closed (closing is always possible).
NODISCARD enum err disk_sim_crash(struct disk *d, uint64_t seed);
// Only the process died: the page cache is as it was. Ends a power_off, and the fault.
void disk_sim_restart(struct disk *d);

uint64_t disk_sim_calls(struct disk *d, enum disk_sim_op op); // how often; DISK_SIM_ANY: all
uint64_t disk_sim_open_files(struct disk *d);
