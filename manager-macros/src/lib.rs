//! The attribute `#[task]`: puts a function, or a type that can run, into the program's register of tasks.
//!
//! It adds a registration and leaves the item as it is; what a task means is told, and done, in
//! `manager-client`.

#![forbid(unsafe_code)]

mod function;
mod value;

use proc_macro::TokenStream;
use quote::quote;
use syn::{Item, LitStr, parse_macro_input};

/// Makes a function, or an implementation of `Run`, a task: what a process, or the workers of a pool, can be
/// asked to run.
///
/// The function stays an ordinary one, and its name is what is given to a process or a pool. Its arguments and
/// what it returns must be serde types; `&str` is allowed as an argument.
///
/// ```
/// use manager_client::task;
///
/// #[task]
/// fn square(x: i64) -> i64 {
///     x * x
/// }
///
/// assert_eq!(square(3), 9);
/// ```
///
/// A task is known by its path in the program. `#[task(name = "jobs::square")]` gives it another name, which
/// stays the same when the function moves.
#[proc_macro_attribute]
pub fn task(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let mut name = None::<LitStr>;
    let options = syn::meta::parser(|meta| {
        if meta.path.is_ident("name") {
            name = Some(meta.value()?.parse()?);
            Ok(())
        } else {
            Err(meta.error("the only option of `#[task]` is `name = \"…\"`"))
        }
    });
    parse_macro_input!(attribute with options);
    let item = parse_macro_input!(item as Item);
    let registration = if let Item::Fn(function) = &item {
        function::register(function, name.as_ref())
    } else if let Item::Impl(implementation) = &item {
        value::register(implementation, name.as_ref())
    } else {
        Err(syn::Error::new_spanned(&item, "only a function, or an `impl Run for …`, can be a task"))
    };
    let registration = registration.unwrap_or_else(|error| error.to_compile_error());
    quote!(#item #registration).into()
}
