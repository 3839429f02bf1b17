#pragma once

/// Memory that this machine can still give, in bytes; infinity where nothing limits it.

/// To all processes of this host that share this process's control group: what the kernel calls
/// available, or what the group's limit leaves, whichever is less.
double available_to_host();

/// To this process alone: what its own limits (RLIMIT_AS, RLIMIT_DATA) leave.
double available_to_process();
