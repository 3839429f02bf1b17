// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tessera/comm/agreement.hpp"
#include "tessera/comm/box.hpp"
#include "tessera/comm/communicator.hpp"
#include "tessera/comm/tensor_view.hpp"
#include "tessera/core/error.hpp"
#include "tessera/core/text.hpp"

namespace tessera {

/// Boxes of each rank, known to all of them.
using BoxesOfRanks = std::vector<std::vector<Box>>;

/// One box for each rank.
inline BoxesOfRanks one_each(const std::vector<Box>& boxes) {
  BoxesOfRanks of_ranks;
  for (const Box& box : boxes) of_ranks.push_back({box});
  return of_ranks;
}

/// Fills boxes that ranks want from those that ranks own: halos, windows of tiles, the transposes
/// of a Fourier transform, parts of an image cut anew. A linear map, with its exact transpose.
///
/// Owned boxes of all ranks are disjoint. A wanted pixel that nobody owns is zero. With `period`,
/// the image repeats: along an axis of period n > 0, pixel i is pixel i mod n.
///
/// Every rank computes the pieces that it sends and receives from all boxes, once; what is sent is
/// one message per pair of ranks, and nothing where boxes stay on their rank.
class BoxExchange {
 public:
  /// Local; the arguments are the same on all ranks. A rank that owns nothing gives an empty box,
  /// so that its tensors say what leading dimensions images have. Throws error::InvalidArgument if
  /// the boxes do not fit the ranks or each other's dimensions, or a rank gives no box at all.
  BoxExchange(CommunicatorPtr ranks, BoxesOfRanks owned, BoxesOfRanks wanted, Extents period = {});

  /// The order in which adjoint() adds up copies of a pixel: a number for each wanted box of each
  /// rank; by rank and box at first.
  void set_order(std::vector<Extents> order) { order_ = std::move(order); }

  /// Collective. `own`: this rank's owned boxes, (..., extents of the box), of one dtype and the
  /// same leading dimensions on all ranks. Returns its wanted boxes.
  TensorList forward(const TensorList& own) const {
    return move("BoxExchange.forward", own, owned_, wanted_, true);
  }

  /// Collective. The transpose: `wanted` are tensors of the wanted boxes; every copy of a pixel is
  /// added to its owner's. Returns this rank's owned boxes.
  TensorList adjoint(const TensorList& wanted) const {
    return move("BoxExchange.adjoint", wanted, wanted_, owned_, false);
  }

  const BoxesOfRanks& owned() const { return owned_; }
  const BoxesOfRanks& wanted() const { return wanted_; }
  /// Pixels that this rank receives from others in forward().
  std::int64_t pixels_received() const;

 private:
  /// Pixels that two boxes have in common.
  struct Piece {
    int owner = 0, wanter = 0;
    std::size_t owned = 0, wanted = 0;  ///< indices of the boxes among those of their ranks
    Box at_owner;                       ///< in the image
    Box at_wanter;                      ///< the same, moved by whole periods
  };

  void check_boxes() const;
  void add_pieces(int owner, int wanter);
  void add_shifted(Piece piece, const Box& wanted, std::size_t axis);
  std::pair<std::int64_t, std::int64_t> place_in_sum(const Piece& piece) const {
    const auto rank = static_cast<std::size_t>(piece.wanter);
    if (!order_.empty()) return {order_[rank][piece.wanted], 0};
    return {piece.wanter, static_cast<std::int64_t>(piece.wanted)};
  }
  TensorList move(const char* who, const TensorList& from, const BoxesOfRanks& sources,
                  const BoxesOfRanks& targets, bool forward) const;

  CommunicatorPtr ranks_;
  BoxesOfRanks owned_, wanted_;
  Extents period_;
  std::vector<Extents> order_;
  std::vector<Piece> pieces_;  ///< of this rank, in one order on all ranks
};

namespace detail {

/// The dimensions before those of the box.
inline Extents leading_of(const Tensor& image, const Box& box) {
  return {image.sizes().begin(),
          image.sizes().end() - static_cast<std::ptrdiff_t>(box.axes.size())};
}

}  // namespace detail

inline BoxExchange::BoxExchange(CommunicatorPtr ranks, BoxesOfRanks owned, BoxesOfRanks wanted,
                                Extents period)
    : ranks_(std::move(ranks)),
      owned_(std::move(owned)),
      wanted_(std::move(wanted)),
      period_(std::move(period)) {
  check_boxes();
  const int mine = ranks_->rank();
  for (int wanter = 0; wanter < ranks_->size(); ++wanter) {
    for (int owner = 0; owner < ranks_->size(); ++owner) {
      if (wanter == mine || owner == mine) add_pieces(owner, wanter);
    }
  }
}

inline void BoxExchange::check_boxes() const {
  const auto count = static_cast<std::size_t>(ranks_->size());
  if (owned_.size() != count || wanted_.size() != count) {
    throw error::InvalidArgument(
        formatted("BoxExchange: got owned boxes of {} ranks and wanted boxes of {}, expected {}",
                  owned_.size(), wanted_.size(), count));
  }
  const std::size_t dimensions = owned_.front().empty() ? 0 : owned_.front().front().axes.size();
  for (const BoxesOfRanks* boxes : {&owned_, &wanted_}) {
    for (std::size_t rank = 0; rank < count; ++rank) {
      if ((*boxes)[rank].empty()) {
        throw error::InvalidArgument(
            formatted("BoxExchange: rank {} {} no box, expected at least an empty one", rank,
                      boxes == &owned_ ? "owns" : "wants"));
      }
      for (const Box& box : (*boxes)[rank]) {
        if (box.axes.size() == dimensions && (period_.empty() || period_.size() == dimensions)) {
          continue;
        }
        throw error::InvalidArgument(
            formatted("BoxExchange: a box of rank {} is {}, expected {} dimensions as of the first "
                      "one{}",
                      rank, to_string(box), dimensions, period_.empty() ? "" : " and the period"));
      }
    }
  }
}

inline void BoxExchange::add_pieces(int owner, int wanter) {
  const auto& of_owner = owned_[static_cast<std::size_t>(owner)];
  const auto& of_wanter = wanted_[static_cast<std::size_t>(wanter)];
  for (std::size_t w = 0; w < of_wanter.size(); ++w) {
    for (std::size_t o = 0; o < of_owner.size(); ++o) {
      if (of_wanter[w].is_empty() || of_owner[o].is_empty()) continue;
      add_shifted({owner, wanter, o, w, {}, {}}, of_wanter[w], 0);
    }
  }
}

/// Along one axis after the other, every whole number of periods by which the boxes meet.
inline void BoxExchange::add_shifted(Piece piece, const Box& wanted, std::size_t axis) {
  if (axis == wanted.axes.size()) {
    pieces_.push_back(std::move(piece));
    return;
  }
  const Interval own = owned_[static_cast<std::size_t>(piece.owner)][piece.owned].axes[axis];
  const Interval want = wanted.axes[axis];
  const std::int64_t period = period_.empty() ? 0 : period_[axis];
  const auto try_shift = [&](std::int64_t shift) {
    const Interval common{std::max(own.begin + shift, want.begin),
                          std::min(own.end + shift, want.end)};
    if (common.length() <= 0) return;
    Piece next = piece;
    next.at_owner.axes.push_back({common.begin - shift, common.end - shift});
    next.at_wanter.axes.push_back(common);
    add_shifted(std::move(next), wanted, axis + 1);
  };
  if (period <= 0) {
    try_shift(0);
    return;
  }
  const auto below = [](std::int64_t a, std::int64_t b) {
    return a >= 0 ? a / b : -((b - 1 - a) / b);
  };
  for (std::int64_t turn = below(want.begin - own.end, period);
       turn * period + own.begin < want.end; ++turn) {
    try_shift(turn * period);
  }
}

inline std::int64_t BoxExchange::pixels_received() const {
  std::int64_t pixels = 0;
  for (const Piece& piece : pieces_) {
    if (piece.wanter == ranks_->rank() && piece.owner != ranks_->rank()) {
      pixels += c10::multiply_integers(piece.at_owner.extents());
    }
  }
  return pixels;
}

inline TensorList BoxExchange::move(const char* who, const TensorList& from,
                                    const BoxesOfRanks& sources, const BoxesOfRanks& targets,
                                    bool forward) const {
  const int mine = ranks_->rank();
  const std::vector<Box>& source = sources[static_cast<std::size_t>(mine)];
  const std::vector<Box>& target = targets[static_cast<std::size_t>(mine)];
  struct Side {
    int peer;
    const Box& place;
    std::size_t index;
  };
  const auto giver = [&](const Piece& p) {
    return forward ? Side{p.owner, p.at_owner, p.owned} : Side{p.wanter, p.at_wanter, p.wanted};
  };
  const auto taker = [&](const Piece& p) {
    return forward ? Side{p.wanter, p.at_wanter, p.wanted} : Side{p.owner, p.at_owner, p.owned};
  };
  const auto leave = [&](const TensorList& result, const Piece& piece, const Tensor& values) {
    const Side to = taker(piece);
    const Tensor place = part_of(result[to.index], target[to.index], to.place);
    forward ? place.copy_(values) : place.add_(values);
  };

  TensorList result;
  std::vector<TensorMessage> sends, receives;
  guarded(*ranks_, who, [&] {
    if (from.size() != source.size()) {
      throw error::ShapeMismatch(formatted("{}: got {} tensors, expected {}, one per box", who,
                                           from.size(), source.size()));
    }
    const auto dimensions = static_cast<std::int64_t>(source.front().axes.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      const bool fits =
          from[i].defined() && from[i].dim() >= dimensions &&
          from[i].sizes().slice(static_cast<std::size_t>(from[i].dim() - dimensions)) ==
              at::IntArrayRef(source[i].extents()) &&
          from[i].dtype() == from.front().dtype();
      if (fits) continue;
      throw error::ShapeMismatch(formatted("{}: tensor {} is {}, expected extents {} of the box {}",
                                           who, i, describe(from[i]),
                                           to_string(source[i].extents()), to_string(source[i])));
    }
    const Extents leading = detail::leading_of(from.front(), source.front());
    const std::int64_t images = c10::multiply_integers(leading);
    for (const Box& box : target) {
      Extents shape = leading;
      for (const std::int64_t extent : box.extents()) shape.push_back(extent);
      result.push_back(at::zeros(shape, from.front().options()));
    }
    for (int peer = 0; peer < ranks_->size(); ++peer) {
      std::vector<Tensor> outgoing;
      std::int64_t incoming = 0;
      for (const Piece& piece : pieces_) {
        const Side give = giver(piece);
        const Side take = taker(piece);
        if (give.peer == mine && take.peer == peer) {
          const Tensor values = part_of(from[give.index], source[give.index], give.place);
          if (peer != mine) outgoing.push_back(values.reshape(-1));
        } else if (give.peer == peer && take.peer == mine) {
          incoming += images * c10::multiply_integers(piece.at_owner.extents());
        }
      }
      if (!outgoing.empty()) sends.push_back({peer, at::cat(outgoing)});
      if (incoming > 0) receives.push_back({peer, at::empty({incoming}, from.front().options())});
    }
  });
  committed(*ranks_, who, [&] {
    if (ranks_->size() > 1) exchange(*ranks_, sends, receives);
    std::vector<std::pair<const Piece*, Tensor>> arrived;
    std::vector<std::int64_t> taken(receives.size(), 0);
    for (const Piece& piece : pieces_) {
      const Side give = giver(piece);
      if (taker(piece).peer != mine) continue;
      if (give.peer == mine) {
        arrived.emplace_back(&piece, part_of(from[give.index], source[give.index], give.place));
        continue;
      }
      std::size_t message = 0;
      while (receives[message].peer != give.peer) ++message;
      Extents shape = detail::leading_of(from.front(), source.front());
      for (const std::int64_t extent : piece.at_owner.extents()) shape.push_back(extent);
      const std::int64_t count = c10::multiply_integers(shape);
      arrived.emplace_back(&piece,
                           receives[message].tensor.narrow(0, taken[message], count).view(shape));
      taken[message] += count;
    }
    std::stable_sort(arrived.begin(), arrived.end(), [&](const auto& a, const auto& b) {
      return place_in_sum(*a.first) < place_in_sum(*b.first);
    });
    for (const auto& [piece, values] : arrived) leave(result, *piece, values);
  });
  return result;
}

}  // namespace tessera
