#pragma once

#include <string>
#include <vector>

#include "tessera/comm/communicator.hpp"

/// Collective. The host name of every rank, in rank order.
std::vector<std::string> gather_hosts(tessera::Communicator& world);

/// Threads for this rank: `wanted`, or its share of the cores of its host if that is 0; at least
/// one.
int threads_per_rank(int wanted, const std::vector<std::string>& hosts, int rank);
