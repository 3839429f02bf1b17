// SPDX-License-Identifier: BSD-3-Clause
#include <memory>
#include <string>
#include <utility>

#include "scans.hpp"
#include "tessera/physics/linear_operator.hpp"

using namespace tessera;

namespace {

class Copy final : public LinearOperator {
 public:
  std::string name() const override { return "copy"; }

 private:
  Tensor do_apply(const Tensor& x) const override { return x; }
  Tensor do_apply_adjoint(const Tensor& v) const override { return v; }
};

class CopiesScan final : public Scan {
 public:
  explicit CopiesScan(const Options& options) : Scan(options) {}

  Tensor linear(const LinearPhysics& physics, const TensorList& measured,
                const Tensor& /*like*/) const override {
    return physics.adjoint(measured) / static_cast<double>(options().num_operators);
  }
  std::string linear_name() const override { return "mean of the copies"; }

  Panel picture(const Tensor& measured) const override {
    return {"copy", measured.select(2, measured.size(2) / 2)};
  }

 private:
  std::unique_ptr<LinearOperator> make_part(std::int64_t /*index*/) const override {
    return std::make_unique<Copy>();
  }
  ClampRange range() const override { return std::pair(0.0, 1.0); }
};

}  // namespace

std::unique_ptr<Scan> make_copies_scan(const Options& options) {
  return std::make_unique<CopiesScan>(options);
}
