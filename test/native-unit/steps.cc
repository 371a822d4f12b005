// Steps of several members at once: who goes together, and who suffers from whom.
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "sherpa/steps.h"

namespace earshot::tests {

namespace {

using sherpa::Member;
using sherpa::Steps;

/** What members did, by name. */
struct Log {
	std::vector<std::string> steps;
	std::map<std::string, std::string> ended;
};

class Walker final : public Member {
public:
	Walker(Log& log, std::string name, int left) : name(std::move(name)), left(left), log_(log) {}

	bool Cancelled() const override { return cancelled != nullptr && *cancelled; }
	Expected<bool> Prepare() override {
		if (left < 0) return Failure{"engine_failed", "it has no way"};
		return left > 0;
	}
	void Finish(Expected<Done> ended) override { log_.ended[name] += ended ? "done" : ended.failure().text; }

	const std::string name;
	int left;
	const bool* cancelled = nullptr;

private:
	Log& log_;
};

struct Walk {
	explicit Walk(size_t most, size_t threads = 1)
		: steps(most, threads, [this](const std::vector<Member*>& members) -> Expected<Done> {
			  std::string names;
			  for (Member* member : members) {
				  auto* walker = static_cast<Walker*>(member);
				  walker->left--;
				  names += walker->name;
			  }
			  log.steps.push_back(names);
			  if (during) during();
			  if (names.find('!') != std::string::npos) return Failure{"engine_failed", "somebody fell"};
			  return Done{};
		  }) {}

	bool Add(const std::string& name, int left, const bool* cancelled = nullptr) {
		auto walker = std::make_unique<Walker>(log, name, left);
		walker->cancelled = cancelled;
		return steps.Add(std::move(walker));
	}

	Log log;
	std::function<void()> during;
	Steps steps;
};

using Names = std::vector<std::string>;

}  // namespace

TEST("members that have a step go together, and one that has none is done at once") {
	Walk walk(8);
	EXPECT(walk.Add("a", 2));
	EXPECT(!walk.Add("b", 0));
	EXPECT(!walk.Add("c", 1));
	walk.steps.Work();
	EXPECT((walk.log.steps == Names{"ac", "a"}));
	EXPECT(walk.log.ended.size() == 3);
	for (const auto& [name, ended] : walk.log.ended) EXPECT(ended == "done");
	EXPECT(walk.Add("d", 1));
}

TEST("one who comes during a step takes part in the next, and more than fit take turns") {
	Walk walk(2);
	EXPECT(walk.Add("a", 3));
	walk.during = [&] {
		if (walk.log.steps.size() == 1) {
			EXPECT(!walk.Add("b", 2));
			EXPECT(!walk.Add("c", 2));
		}
	};
	walk.steps.Work();
	EXPECT((walk.log.steps == Names{"a", "bc", "ab", "ca"}));
}

TEST("another thread is wanted only where a whole batch waits") {
	Walk walk(2, 2);
	EXPECT(walk.Add("a", 1));
	walk.during = [&] {
		if (walk.log.steps.size() > 1) return;
		EXPECT(!walk.Add("b", 1));
		EXPECT(walk.Add("c", 1));
		EXPECT(!walk.Add("d", 1));
	};
	walk.steps.Work();
	EXPECT((walk.log.steps == Names{"a", "bc", "d"}));
}

TEST("one who cancels is told so before the others' next step, and takes none") {
	Walk walk(1);
	bool cancelled = false;
	(void)walk.Add("a", 2);
	(void)walk.Add("b", 2);
	(void)walk.Add("c", 2, &cancelled);
	walk.during = [&] {
		cancelled = true;
		if (walk.log.steps.size() == 2) EXPECT(walk.log.ended["c"] == "the clip was cancelled");
	};
	walk.steps.Work();
	EXPECT((walk.log.steps == Names{"a", "b", "a", "b"}));
	EXPECT(walk.log.ended["a"] == "done" && walk.log.ended["b"] == "done");
}

TEST("one who cannot prepare fails alone") {
	Walk walk(8);
	(void)walk.Add("a", 1);
	(void)walk.Add("b", -1);
	(void)walk.Add("c", 1);
	walk.steps.Work();
	EXPECT((walk.log.steps == Names{"ac"}));
	EXPECT(walk.log.ended["b"] == "it has no way");
	EXPECT(walk.log.ended["a"] == "done" && walk.log.ended["c"] == "done");
}

TEST("a step that fails for several is the last of several") {
	Walk walk(8);
	(void)walk.Add("a", 1);
	(void)walk.Add("!", 1);
	walk.steps.Work();
	EXPECT(walk.log.ended["a"] == "somebody fell" && walk.log.ended["!"] == "somebody fell");
	walk.log = {};
	(void)walk.Add("a", 1);
	(void)walk.Add("!", 1);
	(void)walk.Add("b", 1);
	walk.steps.Work();
	EXPECT((walk.log.steps == Names{"a", "!", "b"}));
	EXPECT(walk.log.ended["a"] == "done" && walk.log.ended["b"] == "done" && walk.log.ended["!"] == "somebody fell");
}

}  // namespace earshot::tests
