//! Blocking calls on a thread that turns its loops itself.
//!
//! A call that blocks (a bind, `Connect::wait`, `WriteFuture::wait`) usually waits for another
//! thread, which runs the loop. In a simulation there is no other thread: what turns the loops has
//! [`install`]ed itself on this one, and the call lets it turn until the answer is there.

use std::cell::RefCell;
use std::io;
use std::rc::{Rc, Weak};

/// What turns the loops of its thread.
pub trait Turner {
    /// Turns them until `done` says so.
    ///
    /// # Errors
    /// When it will never say so: nothing is left to do, or the call comes from one of the loops.
    fn turn_until(self: Rc<Self>, done: &mut dyn FnMut() -> bool) -> io::Result<()>;
}

thread_local! {
    static TURNERS: RefCell<Vec<Weak<dyn Turner>>> = const { RefCell::new(Vec::new()) };
}

/// Lets blocking calls of this thread turn `turner` from now on, as long as it lives. The last one
/// that was installed counts.
pub fn install(turner: Weak<dyn Turner>) {
    TURNERS.with_borrow_mut(|turners| turners.push(turner));
}

fn current() -> Option<Rc<dyn Turner>> {
    TURNERS.with_borrow_mut(|turners| {
        while let Some(last) = turners.last() {
            if let Some(turner) = last.upgrade() {
                return Some(turner);
            }
            turners.pop();
        }
        None
    })
}

/// Waits for the answer of `poll` by turning the loops of this thread; `None` when the thread turns
/// no loops and has to block.
pub fn wait_for<T>(mut poll: impl FnMut() -> Option<T>) -> Option<io::Result<T>> {
    let turner = current()?;
    let mut answer = None;
    let turned = turner.turn_until(&mut || {
        answer = poll();
        answer.is_some()
    });
    match (turned, answer) {
        (_, Some(answer)) => Some(Ok(answer)),
        (Err(error), None) => Some(Err(error)),
        (Ok(()), None) => Some(Err(io::ErrorKind::Deadlock.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Counts(Cell<u32>);

    impl Turner for Counts {
        fn turn_until(self: Rc<Self>, done: &mut dyn FnMut() -> bool) -> io::Result<()> {
            while !done() {
                self.0.set(self.0.get() + 1);
                if self.0.get() == 10 {
                    return Err(io::ErrorKind::Deadlock.into());
                }
            }
            Ok(())
        }
    }

    #[test]
    fn waits_as_long_as_the_turner_lives() {
        assert!(wait_for(|| Some(1)).is_none(), "nobody turns on this thread");
        let turner = Rc::new(Counts(Cell::new(0)));
        let weak: Weak<Counts> = Rc::downgrade(&turner);
        install(weak);
        let seen = Rc::clone(&turner);
        let answer = wait_for(|| (seen.0.get() == 3).then_some("three"));
        assert_eq!(answer.unwrap().unwrap(), "three");
        let error = wait_for(|| None::<()>).unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Deadlock);
        drop((turner, seen));
        assert!(wait_for(|| Some(1)).is_none());
    }
}
