#include "ggml/fake_ggml.h"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <ggml-backend-impl.h>
#include <ggml-cpu.h>
#include <traits.h>

namespace earshot::tests {

namespace {

// ---- memory that is not host memory ---------------------------------------------------------------

std::atomic<size_t> foreign_bytes{0};
/** Bytes in foreign buffers are inverted, so that reading them as host memory gives wrong results. */
constexpr uint8_t kInverted = 0xff;
constexpr size_t kAlignment = 64;

struct Memory {
	explicit Memory(size_t size, uint8_t turned) : bytes(size + kAlignment), turned(turned) {}
	void* Base() {
		const auto address = reinterpret_cast<uintptr_t>(bytes.data());
		return reinterpret_cast<void*>((address + kAlignment - 1) / kAlignment * kAlignment);
	}
	std::vector<uint8_t> bytes;
	const uint8_t turned;
};

Memory& MemoryOf(ggml_backend_buffer_t buffer) { return *static_cast<Memory*>(buffer->context); }

void Copy(const void* from, void* to, size_t size, uint8_t turned) {
	for (size_t i = 0; i < size; i++) static_cast<uint8_t*>(to)[i] = static_cast<const uint8_t*>(from)[i] ^ turned;
}

const ggml_backend_buffer_i kBuffer = {
	.free_buffer = [](ggml_backend_buffer_t buffer) {
		if (MemoryOf(buffer).turned != 0) foreign_bytes -= buffer->size;
		delete &MemoryOf(buffer);
	},
	.get_base = [](ggml_backend_buffer_t buffer) { return MemoryOf(buffer).Base(); },
	.init_tensor = nullptr,
	.memset_tensor = [](ggml_backend_buffer_t, ggml_tensor* tensor, uint8_t value, size_t offset, size_t size) {
		std::memset(static_cast<char*>(tensor->data) + offset, value, size);
	},
	.set_tensor = [](ggml_backend_buffer_t buffer, ggml_tensor* tensor, const void* data, size_t offset, size_t size) {
		Copy(data, static_cast<char*>(tensor->data) + offset, size, MemoryOf(buffer).turned);
	},
	.get_tensor = [](ggml_backend_buffer_t buffer, const ggml_tensor* tensor, void* data, size_t offset, size_t size) {
		Copy(static_cast<const char*>(tensor->data) + offset, data, size, MemoryOf(buffer).turned);
	},
	.set_tensor_2d = nullptr,
	.get_tensor_2d = nullptr,
	.cpy_tensor = nullptr,
	.clear = [](ggml_backend_buffer_t buffer, uint8_t value) {
		std::memset(MemoryOf(buffer).Base(), value, buffer->size);
	},
	.reset = nullptr,
};

ggml_backend_buffer_t Allocate(ggml_backend_buffer_type_t type, size_t size, uint8_t turned) {
	if (turned != 0) foreign_bytes += size;
	return ggml_backend_buffer_init(type, kBuffer, new Memory(size, turned), size);
}

size_t Alignment(ggml_backend_buffer_type_t) { return kAlignment; }

ggml_backend_dev_t Processor() { return ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0); }

// ---- buffers of the CPU's own type -----------------------------------------------------------

class ForeignProducts final : public ggml::cpu::tensor_traits {
public:
	bool work_size(int, const ggml_tensor*, size_t& size) override {
		size = 0;
		return true;
	}

	/** Every n-th row of the matrix, by ggml's own dot product of half floats. */
	bool compute_forward(ggml_compute_params* params, ggml_tensor* node) override {
		const ggml_tensor *matrix = node->src[0], *vectors = node->src[1];
		const auto columns = static_cast<size_t>(matrix->ne[0]);
		const auto count = static_cast<size_t>(vectors->ne[1]), rows = static_cast<size_t>(matrix->ne[1]);
		std::vector<ggml_fp16_t> rounded(count * columns), row(columns);
		for (size_t v = 0; v < count; v++) {
			const char* vector = static_cast<const char*>(vectors->data) + v * vectors->nb[1];
			ggml_cpu_fp32_to_fp16(
				reinterpret_cast<const float*>(vector), rounded.data() + v * columns, matrix->ne[0]);
		}
		const auto dot = ggml_get_type_traits_cpu(GGML_TYPE_F16)->vec_dot;
		for (auto n = static_cast<size_t>(params->ith); n < rows; n += static_cast<size_t>(params->nth)) {
			const char* from = static_cast<const char*>(matrix->data) + n * matrix->nb[1];
			Copy(from, row.data(), columns * sizeof(ggml_fp16_t), kInverted);
			for (size_t v = 0; v < count; v++) {
				auto* to = static_cast<char*>(node->data) + v * node->nb[1] + n * sizeof(float);
				dot(static_cast<int>(columns), reinterpret_cast<float*>(to), 0, row.data(), 0,
					rounded.data() + v * columns, 0, 1);
			}
		}
		return true;
	}
};

ggml_backend_buffer_type_t ForeignType();

class ForeignKind final : public ggml::cpu::extra_buffer_type {
public:
	bool supports_op(ggml_backend_dev_t, const ggml_tensor* node) override {
		return IsOurs(node) && node->src[0]->type == GGML_TYPE_F16 && ggml_n_dims(node->src[0]) == 2 &&
			node->src[1]->type == GGML_TYPE_F32 && ggml_n_dims(node->src[1]) <= 2;
	}

	ggml::cpu::tensor_traits* get_tensor_traits(const ggml_tensor* node) override {
		return IsOurs(node) ? &products_ : nullptr;
	}

private:
	static bool IsOurs(const ggml_tensor* node) {
		return node->op == GGML_OP_MUL_MAT && node->src[0]->buffer != nullptr && node->src[0]->buffer->buft == ForeignType();
	}

	ForeignProducts products_;
};

ggml_backend_buffer_type_t ForeignType() {
	static ForeignKind kind;
	static ggml_backend_buffer_type type = {
		.iface = {
			.get_name = [](ggml_backend_buffer_type_t) { return "FOREIGN"; },
			.alloc_buffer =
				[](ggml_backend_buffer_type_t self, size_t size) { return Allocate(self, size, kInverted); },
			.get_alignment = Alignment,
			.get_max_size = nullptr,
			.get_alloc_size = nullptr,
			.is_host = nullptr,
		},
		.device = Processor(),
		.context = static_cast<ggml::cpu::extra_buffer_type*>(&kind),
	};
	return &type;
}

// ---- a GPU -----------------------------------------------------------------------------------------

ggml_backend_dev_t Gpu();

ggml_backend_buffer_type_t GpuMemory() {
	static ggml_backend_buffer_type type = {
		.iface = {
			.get_name = [](ggml_backend_buffer_type_t) { return "FAKE0"; },
			.alloc_buffer = [](ggml_backend_buffer_type_t self, size_t size) { return Allocate(self, size, 0); },
			.get_alignment = Alignment,
			.get_max_size = nullptr,
			.get_alloc_size = nullptr,
			.is_host = nullptr,
		},
		.device = Gpu(),
		.context = nullptr,
	};
	return &type;
}

ggml_backend_t Start(ggml_backend_dev_t device, const char*) {
	static ggml_guid guid = {0xea, 0x25, 0x07};
	ggml_backend_t processor = ggml_backend_cpu_init();
	// With one thread: on busy machines threads wait long for each other.
	ggml_backend_cpu_set_n_threads(processor, 1);
	return new ggml_backend{
		.guid = &guid,
		.iface = {
			.get_name = [](ggml_backend_t) { return "FAKE0"; },
			.free = [](ggml_backend_t backend) {
				ggml_backend_free(static_cast<ggml_backend_t>(backend->context));
				delete backend;
			},
			.graph_compute = [](ggml_backend_t backend, ggml_cgraph* graph) {
				return ggml_backend_graph_compute(static_cast<ggml_backend_t>(backend->context), graph);
			},
		},
		.device = device,
		.context = processor,
	};
}

ggml_backend_reg_t GpuLibrary() {
	static ggml_backend_reg library = {
		.api_version = GGML_BACKEND_API_VERSION,
		.iface = {
			.get_name = [](ggml_backend_reg_t) { return "FAKE"; },
			.get_device_count = [](ggml_backend_reg_t) -> size_t { return 1; },
			.get_device = [](ggml_backend_reg_t, size_t) { return Gpu(); },
			.get_proc_address = nullptr,
		},
		.context = nullptr,
	};
	return &library;
}

ggml_backend_dev_t Gpu() {
	static ggml_backend_device device = {
		.iface = {
			.get_name = [](ggml_backend_dev_t) { return "FAKE0"; },
			.get_description = [](ggml_backend_dev_t) { return "a GPU for tests"; },
			.get_memory = [](ggml_backend_dev_t, size_t* free, size_t* total) { *free = *total = size_t{1} << 30; },
			.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; },
			.get_props = [](ggml_backend_dev_t self, ggml_backend_dev_props* props) {
				*props = {};
				props->name = self->iface.get_name(self);
				props->description = self->iface.get_description(self);
				props->type = GGML_BACKEND_DEVICE_TYPE_GPU;
			},
			.init_backend = Start,
			.get_buffer_type = [](ggml_backend_dev_t) { return GpuMemory(); },
			.supports_op = [](ggml_backend_dev_t, const ggml_tensor*) { return true; },
			.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) { return type == GpuMemory(); },
		},
		.reg = GpuLibrary(),
		.context = nullptr,
	};
	return &device;
}

}  // namespace

void AddForeignBuffers() {
	auto& kinds = ggml_backend_cpu_get_extra_buffer_types();
	kinds.insert(kinds.begin(), ForeignType());
}

size_t ForeignBytes() { return foreign_bytes; }

void AddFakeGpu() { ggml_backend_register(GpuLibrary()); }

}  // namespace earshot::tests
