package fault

// Definition is a code with its documentation.
type Definition struct {
	Code            string
	Retryable       bool
	Meaning, Advice string
}

// Page are the error codes that the page itself makes, before there is a kernel or when it is gone.
// Those without a Meaning are also the kernel's. Only the generator reads it.
var Page = []Definition{
	{Code: "bad_argument"},
	{Code: "boot_timeout", Retryable: true,
		Meaning: "the kernel never became ready: its script, its bytes or its own start stalled",
		Advice:  "reload the page; see what the browser's network panel says of the file that the message names"},
	{Code: "bootstrap_unreachable"},
	{Code: "config_load_failed", Retryable: true,
		Meaning: "`/inos.json` could not be loaded, or says what it must not",
		Advice:  "have the server answer it, as `inos serve` does, and reload"},
	{Code: "cross_origin_isolation",
		Meaning: "the page was served without the headers COOP and COEP, so it has no shared memory",
		Advice:  "serve it with both, as `inos serve` does"},
	{Code: "csp_refused",
		Meaning: "the page's own Content-Security-Policy forbids the Worker or WebAssembly",
		Advice:  "allow what the message names"},
	{Code: "deadline"},
	{Code: "internal"},
	{Code: "javascript_error"},
	{Code: "kernel_closed"},
	{Code: "kernel_crashed",
		Meaning: "the kernel exited or panicked, or its Worker was killed",
		Advice:  "reload the page; report what the message says"},
	{Code: "too_many_calls"},
	{Code: "unknown_verb"},
	{Code: "wait_async_missing",
		Meaning: "this browser's Atomics cannot wait without blocking",
		Advice:  "use a browser of [browsers.md](browsers.md)"},
	{Code: "wasm_bad_module",
		Meaning: "the kernel's file is no WebAssembly, or the browser's compiler refuses it",
		Advice:  "have the server answer the kernel that was built"},
	{Code: "wasm_instantiate_failed",
		Meaning: "the kernel does not fit this shell or this browser",
		Advice:  "build the shell and the kernel together"},
	{Code: "wasm_load_failed", Retryable: true,
		Meaning: "the kernel's file was not found, or the network broke off",
		Advice:  "reload the page; the message names the URL"},
	{Code: "wasm_no_memory", Retryable: true,
		Meaning: "the browser gives no memory for the kernel",
		Advice:  "close other tabs or programs, then reload"},
	{Code: "webassembly_missing",
		Meaning: "this browser has no WebAssembly, or it is switched off",
		Advice:  "use a browser of [browsers.md](browsers.md)"},
	{Code: "webtransport_missing",
		Meaning: "this browser has no WebTransport and cannot reach the mesh",
		Advice:  "use a browser of [browsers.md](browsers.md)"},
	{Code: "worker_failed",
		Meaning: "the kernel's Worker could not start",
		Advice:  "have the server answer its script, which the message names"},
}
