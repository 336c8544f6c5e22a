//! The rules, one module each.

mod async_lock;
pub(crate) mod blocking_call_on_pool;
pub(crate) mod busy_thread;
mod chatty_calls;
mod cpu_hot_path;
mod cpu_limited;
mod db_n_plus_one;
mod db_pool_exhausted;
mod deadlock;
pub(crate) mod descriptor_growth;
pub(crate) mod exceptions;
mod finalizer_backlog;
mod gc_gen2_churn;
mod gc_induced;
pub(crate) mod gc_pauses;
mod heap_growth;
mod high_allocation_rate;
mod http_client_per_request;
mod jit_churn;
mod lock_contention;
mod logging_flood;
mod loh_churn;
pub(crate) mod memory_limit;
mod native_memory_growth;
mod pinning;
mod regex_backtracking;
pub(crate) mod slow_dependency;
pub(crate) mod startup_config;
mod startup_jit;
mod sync_over_async;
mod thread_per_request;
mod threadpool_queue_flood;

pub(crate) use db_pool_exhausted::PENDING_METERS;

use crate::rule::Rule;

/// Every rule, in the order of the catalogue.
pub const ALL: &[&Rule] = &[
    &sync_over_async::RULE,
    &blocking_call_on_pool::RULE,
    &threadpool_queue_flood::RULE,
    &thread_per_request::RULE,
    &lock_contention::RULE,
    &async_lock::RULE,
    &deadlock::RULE,
    &cpu_hot_path::RULE,
    &busy_thread::RULE,
    &regex_backtracking::RULE,
    &gc_pauses::RULE,
    &gc_induced::RULE,
    &gc_gen2_churn::RULE,
    &loh_churn::RULE,
    &high_allocation_rate::RULE,
    &heap_growth::RULE,
    &pinning::RULE,
    &finalizer_backlog::RULE,
    &exceptions::RULE,
    &jit_churn::RULE,
    &startup_jit::RULE,
    &db_n_plus_one::RULE,
    &db_pool_exhausted::RULE,
    &slow_dependency::RULE,
    &http_client_per_request::RULE,
    &chatty_calls::RULE,
    &logging_flood::RULE,
    &cpu_limited::RULE,
    &memory_limit::RULE,
    &native_memory_growth::RULE,
    &descriptor_growth::RULE,
    &startup_config::RULE,
];
