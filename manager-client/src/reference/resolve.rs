//! Makes proxies of plain references.

use manager_protocol::manager::Hold;
use manager_protocol::{Code, Kind, Operation, a_kind};

use super::{Proxy, Reference, scope};
use crate::error::Error;
use crate::link::{DirectLink, Target};
use crate::manager::{MANAGER, Manager};

impl<L: DirectLink> Manager<L> {
    /// A proxy of the object that a reference names, which the proxy then keeps.
    ///
    /// # Errors
    /// [`is_no_such_object`](Error::is_no_such_object) if the object is gone,
    /// [`is_wrong_kind`](Error::is_wrong_kind) if it is of another kind than the proxy,
    /// [`is_foreign_reference`](Error::is_foreign_reference) if it is, or was, another server's.
    ///
    /// ```
    /// use manager_client::{ManagerDict, ManagerList, Reference};
    ///
    /// # let manager = manager_client::Manager::start()?;
    /// let todo = manager.new_list::<String>()?;
    /// let reference = todo.reference();
    /// let same = manager.resolve::<ManagerList<String>>(&reference)?;
    /// drop(todo);
    /// same.push("eat")?;
    ///
    /// let wrong = manager.resolve::<ManagerDict<String, u64>>(&reference);
    /// assert!(wrong.is_err_and(|error| error.is_wrong_kind()));
    /// let foreign: Reference = "list:0000000000000000:17".parse()?;
    /// let foreign = manager.resolve::<ManagerList<String>>(&foreign);
    /// assert!(foreign.is_err_and(|error| error.is_foreign_reference()));
    /// # Ok::<(), manager_client::Error>(())
    /// ```
    pub fn resolve<'a, P: Proxy<Link = L> + 'a>(&'a self, reference: &Reference) -> L::Wait<'a, P> {
        self.hold(*reference, P::KIND, |link, target| P::of(link, target))
    }

    /// Has the session hold an object once more, which must be of a kind.
    pub(crate) fn hold<'a, P: 'a>(
        &'a self,
        reference: Reference,
        kind: Kind,
        proxy: impl FnOnce(L, Target) -> P + Send + 'static,
    ) -> L::Wait<'a, P> {
        let (link, object) = (self.link().clone(), reference.object());
        let manager = Target::new(MANAGER, None, link.epoch());
        if let Err(error) = judge(reference, &link, kind) {
            return self.link().fail(error.during(Hold::ROW, &manager));
        }
        let encode = |out: &mut Vec<u8>| Hold { object, kind }.encode(out);
        self.link().call(&manager, Hold::ROW, encode, move |answer| {
            answer.reply::<Hold>()?;
            let target = Target::unnamed(object, kind, link.epoch()).held(answer.adopt(object));
            Ok(proxy(link, target))
        })
    }
}

/// Judges a reference before anything is sent.
fn judge<L: DirectLink>(reference: Reference, link: &L, kind: Kind) -> Result<(), Error> {
    if reference.kind() != kind {
        let fault = format!("the reference is to {}, not to {}", a_kind(reference.kind()), a_kind(kind));
        return Err(manager_protocol::Error::new(Code::WrongKind, fault).into());
    }
    scope::check(reference, kind, link.epoch())
}
