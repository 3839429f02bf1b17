// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace grid {

/// What may be handed to Slurm. Each check throws error::InvalidArgument: the key, what was
/// expected, what was given.

/// The name of an option of sbatch, in full, '_' as '-': not one that follows from the row of a
/// grid. The value fits it: counts, memory and times have their forms; any other is a
/// line of text; "true" is an option without a value.
void check_parameter(const std::string& name, const std::string& value);

/// Minutes, M:SS, H:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS, UNLIMITED.
void check_time(const std::string& key, const std::string& value);

/// A program with its flags, $NAME and ${NAME} allowed, nothing else that a shell understands.
void check_launcher(const std::string& launcher);

/// The name of an option as sbatch spells it, '-' for '_'.
std::string with_dashes(std::string name);

/// A count of cores per task, 1 to 1024.
int checked_cores(const std::string& key, const std::string& value);

/// The line "#SBATCH --option=value", quoted as sbatch reads it: in double quotes, where a
/// backslash keeps the meaning of what follows it. The value "true" leaves the option alone.
std::string directive(const std::string& option, const std::string& value);

}  // namespace grid
