#include "shard.hpp"

#include <array>

#include "comm/fnv_hash.hpp"
#include "image_packet.hpp"
#include "tessera/comm/tensor_view.hpp"

namespace tessera::detail {

namespace {

/// A number that differs, with near certainty, if the owners do.
std::int64_t fingerprint(const Partition& partition) {
  FnvHash hash;
  for (std::int64_t item = 0; item < partition.items(); ++item) {
    hash.add(static_cast<std::uint64_t>(partition.owner(item)));
  }
  return hash.value();
}

}  // namespace

const CommunicatorPtr& checked(const CommunicatorPtr& communicator, const std::string& who) {
  if (!communicator) {
    throw error::InvalidArgument(
        who + ": the communicator is null; give self_communicator() to run alone");
  }
  return communicator;
}

Partition agreed_partition(std::int64_t count, const DistributedPhysicsOptions& options,
                           Communicator& communicator, const std::string& who) {
  const int ranks = communicator.size();
  std::optional<Partition> partition = options.partition;
  std::int64_t print = 0;
  std::exception_ptr failure;
  try {
    if (count < 1) {
      throw error::InvalidArgument(
          fmt::format("{}: there are {} operators, expected at least 1", who, count));
    }
    if (!partition) partition = Partition::block(count, ranks);
    if (partition->items() != count || partition->ranks() != ranks) {
      throw error::InvalidArgument(
          fmt::format("{}: the partition shares {} operators over {} ranks, expected {} operators "
                      "over {} ranks",
                      who, partition->items(), partition->ranks(), count, ranks));
    }
    print = fingerprint(*partition);
  } catch (...) {
    failure = std::current_exception();
  }
  const auto reduction = static_cast<std::int64_t>(options.reduction);
  std::array<std::int64_t, 6> maxima = {count, -count, print, -print, reduction, -reduction};
  agree(communicator, who, failure, maxima);
  if (maxima[0] != -maxima[1] || maxima[2] != -maxima[3] || maxima[4] != -maxima[5]) {
    throw error::InvalidArgument(
        who + ": the ranks were given different operator counts, partitions or reductions");
  }
  return *partition;
}

void check_single_operator(const Physics* physics, std::int64_t index, const std::string& who) {
  if (physics == nullptr)
    throw error::InvalidArgument(fmt::format("{}: operator {} is null", who, index));
  if (physics->operator_count() != 1) {
    throw error::InvalidArgument(fmt::format(
        "{}: operator {} ({}) is a stack of {} operators; give its operators one by one", who,
        index, physics->name(), physics->operator_count()));
  }
}

double weight(OperatorReduction reduction, std::int64_t count) {
  return reduction == OperatorReduction::mean ? 1.0 / static_cast<double>(count) : 1.0;
}

void accumulate(Tensor& sum, const Tensor& image, const std::string& who) {
  if (!sum.defined()) {
    check_image(image, who + ": an operator's image");
    sum = image.clone(at::MemoryFormat::Contiguous);
    return;
  }
  check_like(image, sum, who + ": an operator's image");
  sum.add_(image);
}

Tensor sum_over_ranks(Communicator& communicator, const std::string& who, double weight,
                      const std::function<void(Tensor&)>& contributions) {
  Tensor sum;
  std::exception_ptr failure;
  try {
    contributions(sum);
    if (sum.defined() && weight != 1.0) sum.mul_(weight);
    if (communicator.size() > 1 && sum.defined() && sum.requires_grad()) {
      throw error::InvalidArgument(
          who +
          ": cannot be differentiated over several ranks; detach its arguments or use one rank");
    }
  } catch (...) {
    failure = std::current_exception();
  }
  ImagePacket packet = sum.defined() && !failure ? ImagePacket(sum) : ImagePacket();
  agree(communicator, who, failure, packet.maxima());
  packet.check(who);
  committed(communicator, who, [&] {
    if (!sum.defined()) sum = packet.zeros();
    if (communicator.size() > 1) all_reduce(communicator, sum, Reduction::sum);
  });
  return sum;
}

}  // namespace tessera::detail
