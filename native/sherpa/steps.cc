#include "sherpa/steps.h"

#include <algorithm>
#include <iterator>

#include "core/cancel.h"

namespace earshot::sherpa {

bool Steps::Add(std::unique_ptr<Member> member) {
	const std::lock_guard lock(mutex_);
	waiting_.push_back(std::move(member));
	const bool more = working_ == 0 || (waiting_.size() >= most_ && working_ < threads_);
	if (more) working_++;
	return more;
}

void Steps::Work() {
	for (Members members = Gather(); !members.empty(); members = Gather()) Step(std::move(members));
}

Steps::Members Steps::Gather() {
	Members gathered;
	for (;;) {
		Members cancelled;
		std::unique_ptr<Member> next;
		{
			const std::lock_guard lock(mutex_);
			// Cancelled members are finished first, since their callers wait for the result.
			const auto first = std::stable_partition(
				waiting_.begin(), waiting_.end(), [](const auto& member) { return !member->Cancelled(); });
			std::move(first, waiting_.end(), std::back_inserter(cancelled));
			waiting_.erase(first, waiting_.end());
			if (gathered.size() < most_ && !waiting_.empty()) {
				next = std::move(waiting_.front());
				waiting_.pop_front();
			} else if (gathered.empty() && cancelled.empty()) {
				working_--;
			}
		}
		for (const auto& member : cancelled) member->Finish(Cancelled());
		if (next == nullptr) {
			if (gathered.empty() && !cancelled.empty()) continue;
			return gathered;
		}
		if (HasStep(*next)) gathered.push_back(std::move(next));
	}
}

void Steps::Step(Members members) {
	std::vector<Member*> together;
	for (const auto& member : members) together.push_back(member.get());
	const Expected<Done> taken = take_(together);
	if (!taken) {
		{
			// It is unknown which member caused the failure, so from now on members run one at a time.
			const std::lock_guard lock(mutex_);
			if (members.size() > 1) most_ = 1;
		}
		for (const auto& member : members) member->Finish(taken.failure());
		return;
	}
	// Finished members leave now, so that they do not wait for the next step of others.
	std::erase_if(members, [](const auto& member) { return !HasStep(*member); });
	const std::lock_guard lock(mutex_);
	std::move(members.begin(), members.end(), std::back_inserter(waiting_));
}

bool Steps::HasStep(Member& member) {
	if (member.Cancelled()) {
		member.Finish(Cancelled());
		return false;
	}
	const Expected<bool> prepared = member.Prepare();
	if (prepared && *prepared) return true;
	member.Finish(prepared ? Expected<Done>(Done{}) : prepared.failure());
	return false;
}

}  // namespace earshot::sherpa
