//! Semaphores: permits are neither lost nor doubled.

use manager_protocol::manager;
use manager_protocol::semaphore::{self, SemaphoreSetup, SemaphoreStatus};
use manager_server::core::{Client, Time};

use super::desk::{Desk, LATE, at_once, explore};

/// One waits for the only permit, which another gives back while the wait ends in this way. The permit
/// is there in the end.
fn release_while(end: fn(&Desk, &Client)) {
    explore(move || {
        let desk = Desk::new();
        let setup = SemaphoreSetup { permits: 1, bounded: true, ownerless: false };
        let object = desk.make(manager::OpenSemaphore { name: Some("semaphore"), setup });
        let [holder, waiter] = desk.clients();
        let acquire = |client: &Client| desk.ask(client, 0, object, semaphore::Acquire { timeout_ms: None });
        acquire(&holder).unwrap().unwrap();
        assert!(acquire(&waiter).is_none());
        let (first, second) = (desk.clone(), desk.clone());
        let (releasing, ending) = (holder.clone(), waiter.clone());
        at_once([
            Box::new(move || drop(first.ask(&releasing, 1, object, semaphore::Release {}).unwrap().unwrap())),
            Box::new(move || end(&second, &ending)),
        ]);
        desk.0.expire(LATE);
        let status: SemaphoreStatus = desk.get(&holder, 2, object, semaphore::Status {});
        assert_eq!(status, SemaphoreStatus { available: 1, waiting: 0 });
        desk.close([&holder, &waiter]);
    });
}

#[test]
fn a_permit_is_given_while_the_next_cancels() {
    release_while(|desk, client| assert!(desk.0.cancel(client, 0, Time::ZERO)));
}

#[test]
fn a_permit_is_given_while_the_next_is_lost() {
    release_while(Desk::broke);
}

#[test]
fn a_permit_is_given_while_the_session_of_the_next_ends() {
    release_while(Desk::abandon);
}

#[test]
fn a_request_is_cancelled_by_another_connection_while_it_is_carried_out() {
    explore(|| {
        let desk = Desk::new();
        let setup = SemaphoreSetup { permits: 1, bounded: true, ownerless: false };
        let object = desk.make(manager::OpenSemaphore { name: Some("semaphore"), setup });
        let [one] = desk.clients();
        let two = desk.join(&one).unwrap();
        let (first, second, asking) = (desk.clone(), desk.clone(), one.clone());
        at_once([
            Box::new(move || drop(first.ask(&asking, 0, object, semaphore::Acquire { timeout_ms: None }))),
            Box::new(move || second.cancel(&two, 0)),
        ]);
        let status: SemaphoreStatus = desk.get(&one, 1, object, semaphore::Status {});
        assert_eq!(status, SemaphoreStatus { available: 1, waiting: 0 });
        desk.close([&one]);
    });
}
