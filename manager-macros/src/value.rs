//! Types that can run as tasks.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, ItemImpl, LitStr, Result};

/// The registration of a type that implements `Run`.
pub(crate) fn register(implementation: &ItemImpl, name: Option<&LitStr>) -> Result<TokenStream> {
    let is_run = implementation.trait_.as_ref().is_some_and(|(not, path, _)| {
        not.is_none() && path.segments.last().is_some_and(|segment| segment.ident == "Run")
    });
    if !is_run {
        return Err(Error::new_spanned(&implementation.self_ty, "only an `impl Run for …` can be a task"));
    }
    if let Some(parameter) = implementation.generics.params.first() {
        return Err(Error::new_spanned(parameter, "a task cannot be generic: its name says too little"));
    }
    let of = &implementation.self_ty;
    let name = match name {
        Some(name) => quote!(#name),
        None => {
            let of: String = of.to_token_stream().to_string().split_whitespace().collect();
            quote!(::core::concat!(::core::module_path!(), "::", #of))
        }
    };
    Ok(quote! {
        const _: () = {
            fn run(arguments: &[u8], out: &mut ::std::vec::Vec<u8>) -> ::manager_client::task::Ran {
                let value: #of = match ::manager_client::task::decode(arguments) {
                    ::core::result::Result::Ok(value) => value,
                    ::core::result::Result::Err(refused) => return refused,
                };
                let returned = ::manager_client::Run::run(value);
                let failed = {
                    use ::manager_client::task::{IsAny as _, IsResult as _};
                    (&::manager_client::task::Returned(&returned)).is_failure()
                };
                ::manager_client::task::encode(&returned, failed, out)
            }
            ::manager_client::task::inventory::submit! {
                ::manager_client::task::Registration::new(
                    #name,
                    || ::core::any::type_name::<#of>(),
                    || ::core::any::TypeId::of::<#of>(),
                    run,
                )
            }
        };
    })
}
