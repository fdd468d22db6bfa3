// The stable codes of an InosError, part of the console API's contract (kernel.d.ts).

/** Codes the shell itself gives. */
export type InosErrorCode =
  | 'cross_origin_isolation' // the page was served without COOP/COEP: no shared memory
  | 'webtransport_missing' // this browser cannot reach the mesh
  | 'webassembly_missing'
  | 'wait_async_missing' // this browser's Atomics cannot wait without blocking
  | 'config_load_failed' // /inos.json could not be had, or says what it must not
  | 'wasm_load_failed' // not found, no network, HTTP error
  | 'wasm_bad_module' // not WebAssembly, or refused by the browser's compiler
  | 'wasm_instantiate_failed' // imports do not fit
  | 'wasm_no_memory' // the browser gives no memory for it
  | 'csp_refused' // the page's own Content-Security-Policy forbids the Worker or WebAssembly
  | 'worker_failed' // the kernel's Worker could not start
  | 'boot_timeout' // the kernel never became ready: its script, its bytes or its own start stalled
  | 'bootstrap_unreachable' // no bootstrap node answered; the kernel goes on alone
  | 'kernel_closed' // inos.close() was called
  | 'kernel_crashed' // the kernel exited, panicked or its Worker was killed
  | 'too_many_calls' // as many calls of this verb, or of this capsule, wait as may: docs/console.md
  | 'unknown_verb'
  | 'bad_argument';

/**
 * Codes of the kernel; docs/console.md says what the commoner ones ask for. internal/bridge/codes_test.go holds this list to
 * what the kernel gives.
 */
export type KernelErrorCode =
  | 'all_attempts_failed'
  | 'all_busy'
  | 'amount'
  | 'bad_address'
  | 'bad_capsule'
  | 'bad_cid'
  | 'bad_image'
  | 'bad_input'
  | 'bad_name' // no name of a capsule: docs/console.md has the form
  | 'bad_params'
  | 'bad_requirements'
  | 'bad_signature'
  | 'busy'
  | 'cancelled'
  | 'capability_denied'
  | 'capability_missing'
  | 'capsule_abi_version'
  | 'capsule_args'
  | 'capsule_broke_protocol'
  | 'capsule_broke_ring'
  | 'capsule_crashed'
  | 'capsule_denied'
  | 'capsule_killed'
  | 'capsule_memory_limit'
  | 'capsule_no_control_block'
  | 'capsule_no_run'
  | 'capsule_no_shared_memory'
  | 'capsule_not_compiled' // a node's compiler refuses it, or takes more time or memory than it may
  | 'capsule_not_ready'
  | 'capsule_not_wasm'
  | 'capsule_panicked'
  | 'capsule_paused'
  | 'capsule_stopped'
  | 'capsule_trapped'
  | 'capsule_unknown_import'
  | 'certificate_mismatch'
  | 'cheque_forged'
  | 'cheque_malformed'
  | 'cheque_mismatch'
  | 'cheque_stale'
  | 'cid_mismatch'
  | 'closed'
  | 'command_denied'
  | 'concurrency_exceeded'
  | 'config'
  | 'crashed'
  | 'credit_exhausted'
  | 'credit_refused'
  | 'deadline'
  | 'deadline_passed'
  | 'denied'
  | 'disputed'
  | 'draining' // the node is about to leave
  | 'duplicate_job'
  | 'field_too_long'
  | 'funds_held' // the ledger has it, and it is held for other jobs
  | 'hold_refunded'
  | 'hold_settled'
  | 'hold_unknown'
  | 'id_malformed'
  | 'input_mismatch'
  | 'internal'
  | 'invalid_state'
  | 'javascript_error'
  | 'job_id'
  | 'job_malformed'
  | 'ledger_denied'
  | 'ledger_exhausted' // the ledger does not have it, also once nothing is held
  | 'ledger_malformed'
  | 'ledger_missing'
  | 'ledger_revoked'
  | 'ledger_unknown'
  | 'library_full'
  | 'limit'
  | 'local_network_denied' // the browser keeps this page from this machine or the local network
  | 'log_corrupt'
  | 'log_failed'
  | 'metadata_missing'
  | 'name_taken' // another capsule has it: { replace: true } takes it
  | 'no_candidate'
  | 'no_memory' // the capsule has no more
  | 'node_busy'
  | 'node_failed'
  | 'node_memory' // the node has no more for capsules now
  | 'not_encodable'
  | 'not_found'
  | 'not_joined'
  | 'over_budget'
  | 'over_deadline'
  | 'over_hold'
  | 'over_limit'
  | 'over_priority'
  | 'peer_malformed'
  | 'policy_invalid'
  | 'policy_stale'
  | 'protocol_violation'
  | 'publisher_denied'
  | 'queue_full'
  | 'quiet_hours'
  | 'rate_exceeded'
  | 'receipt_forged'
  | 'receipt_malformed'
  | 'receipt_mismatch'
  | 'receipt_unknown'
  | 'refused'
  | 'rejected'
  | 'remote' // another node says something that is no code of this list
  | 'requirements'
  | 'residency'
  | 'run_failed'
  | 'signature'
  | 'timeout'
  | 'timestamp_skew'
  | 'too_big'
  | 'too_few_nodes'
  | 'too_many_feeds'
  | 'too_many_listeners'
  | 'trace_malformed'
  | 'type_malformed'
  | 'unknown_capsule'
  | 'unknown_job'
  | 'unknown_method'
  | 'unreachable'
  | 'unsupported'
  | 'voucher_expired'
  | 'voucher_forged'
  | 'voucher_malformed'
  | 'voucher_missing'
  | 'voucher_replayed'
  | 'voucher_too_small'
  | 'voucher_wrong_job'
  | 'voucher_wrong_payee'
  | 'wrong_result';
