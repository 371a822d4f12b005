// Products of weights with rows, as nodes of a graph that can be computed for several graphs at once.
#pragma once

#include <vector>

struct ggml_context;
struct ggml_tensor;

namespace earshot {

class Q8Matrix;

// The weights must outlive the graph.

/** The matrix times each row of `rows`, as ggml_mul_mat. */
ggml_tensor* MultiplyRows(ggml_context* context, const Q8Matrix& matrix, ggml_tensor* rows);
/** The same for half floats. Requires CanMultiply. */
ggml_tensor* MultiplyHalves(ggml_context* context, ggml_tensor* matrix, ggml_tensor* rows);

/** What identifies the weights of a node made by one of these; nullptr for other nodes. */
const void* SharedWeightsOf(const ggml_tensor* node);

/** Computes nodes with the same weights, reading them once. */
void MultiplyTogether(const std::vector<ggml_tensor*>& nodes);

}  // namespace earshot
