package bridge

import (
	"slices"
	"strings"
)

// knownCodes are the codes of this program's own parts, sorted: what another node gives
// as its reason is shown when it is one of them.
var knownCodes = strings.Fields(`
	all_attempts_failed all_busy amount bad_address bad_capsule bad_cid bad_image bad_input bad_name bad_params
	bad_requirements bad_signature busy cancelled capability_denied capability_missing capsule_abi_version
	capsule_args capsule_broke_protocol capsule_broke_ring capsule_crashed capsule_denied capsule_killed
	capsule_memory_limit capsule_no_control_block capsule_no_run capsule_no_shared_memory capsule_not_compiled
	capsule_not_ready capsule_not_wasm capsule_panicked capsule_paused capsule_stopped capsule_trapped
	capsule_unknown_import certificate_mismatch cheque_forged cheque_malformed cheque_mismatch cheque_stale
	cid_mismatch closed command_denied concurrency_exceeded config crashed credit_exhausted credit_refused
	deadline deadline_passed denied disputed draining duplicate_job field_too_long funds_held hold_refunded
	hold_settled hold_unknown id_malformed input_mismatch internal invalid_state javascript_error job_id
	job_malformed ledger_denied ledger_exhausted ledger_malformed ledger_missing ledger_revoked ledger_unknown
	library_full limit local_network_denied log_corrupt log_failed metadata_missing name_taken no_candidate no_memory
	node_busy node_failed node_memory not_encodable not_found not_joined over_budget over_deadline over_hold
	over_limit over_priority peer_malformed policy_invalid policy_stale protocol_violation publisher_denied
	queue_full quiet_hours rate_exceeded receipt_forged receipt_malformed receipt_mismatch receipt_unknown
	refused rejected requirements residency run_failed signature timeout timestamp_skew too_big too_few_nodes
	too_many_feeds too_many_listeners trace_malformed type_malformed unknown_capsule unknown_job unknown_method
	unreachable unsupported voucher_expired voucher_forged voucher_malformed voucher_missing voucher_replayed
	voucher_too_small voucher_wrong_job voucher_wrong_payee wrong_result
`)

// said is the code of another node's reason, or fallback when that is none.
func said(reason, fallback string) string {
	if _, known := slices.BinarySearch(knownCodes, reason); known || slices.Contains(shellCodes, reason) {
		return reason
	}
	return fallback
}

// shellCodes are those of the known that the shell gives, too.
var shellCodes = []string{"bootstrap_unreachable", CodeKernelClosed, CodeTooManyCalls}
