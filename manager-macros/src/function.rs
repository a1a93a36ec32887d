//! Functions as tasks.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Error, FnArg, GenericParam, Ident, ItemFn, LitStr, Result, ReturnType, Signature, Type};

/// The registration of a function, and what runs it with arguments that came from another process.
pub(crate) fn register(function: &ItemFn, name: Option<&LitStr>) -> Result<TokenStream> {
    let Signature { ident, inputs, output, .. } = &function.sig;
    check(&function.sig)?;
    let types: Vec<&Type> = inputs.iter().map(type_of).collect::<Result<_>>()?;
    let arguments: Vec<Ident> = (0..types.len()).map(|index| format_ident!("argument_{index}")).collect();
    let returned = match output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, returned) => quote!(#returned),
    };
    let name = match name {
        Some(name) => quote!(#name),
        None => {
            let ident = ident.to_string();
            let ident = ident.strip_prefix("r#").unwrap_or(&ident);
            quote!(::core::concat!(::core::module_path!(), "::", #ident))
        }
    };
    Ok(quote! {
        const _: () = {
            fn run(arguments: &[u8], out: &mut ::std::vec::Vec<u8>) -> ::manager_client::task::Ran {
                let (#(#arguments,)*): (#(#types,)*) = match ::manager_client::task::decode(arguments) {
                    ::core::result::Result::Ok(arguments) => arguments,
                    ::core::result::Result::Err(refused) => return refused,
                };
                let returned = #ident(#(#arguments),*);
                let failed = {
                    use ::manager_client::task::{IsAny as _, IsResult as _};
                    (&::manager_client::task::Returned(&returned)).is_failure()
                };
                ::manager_client::task::encode(&returned, failed, out)
            }
            ::manager_client::task::inventory::submit! {
                ::manager_client::task::Registration::new(
                    #name,
                    || ::core::any::type_name::<fn(#(#types),*) -> #returned>(),
                    || ::manager_client::task::type_of(&#ident),
                    run,
                )
            }
        };
    })
}

/// Refuses what cannot be named by its path and run with arguments alone.
fn check(signature: &Signature) -> Result<()> {
    if let Some(parameter) = signature.generics.params.first() {
        let what = match parameter {
            GenericParam::Lifetime(_) => "a task cannot have named lifetimes; leave them out",
            GenericParam::Type(_) | GenericParam::Const(_) => "a task cannot be generic: its name says too little",
        };
        return Err(Error::new_spanned(parameter, what));
    }
    if let Some(asyncness) = &signature.asyncness {
        return Err(Error::new_spanned(asyncness, "a task cannot be async; block on a runtime inside of it"));
    }
    if let Some(unsafety) = &signature.unsafety {
        return Err(Error::new_spanned(unsafety, "a task cannot be unsafe: its arguments come from another process"));
    }
    if let Some(variadic) = &signature.variadic {
        return Err(Error::new_spanned(variadic, "a task cannot be variadic"));
    }
    if signature.inputs.len() > MOST_ARGUMENTS {
        let fault = format!("a task has at most {MOST_ARGUMENTS} arguments; put some into a struct");
        return Err(Error::new_spanned(&signature.inputs, fault));
    }
    Ok(())
}

fn type_of(input: &FnArg) -> Result<&Type> {
    match input {
        FnArg::Typed(typed) => {
            if let Type::ImplTrait(generic) = &*typed.ty {
                return Err(Error::new_spanned(generic, "a task cannot be generic: its name says too little"));
            }
            Ok(&typed.ty)
        }
        FnArg::Receiver(receiver) => Err(Error::new_spanned(
            receiver,
            "a method cannot be a task; implement `Run` for its type, and put `#[task]` on that",
        )),
    }
}

/// As many as the trait of tasks is implemented for.
const MOST_ARGUMENTS: usize = 8;

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn refused(function: &ItemFn) -> String {
        register(function, None).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_a_task_is_refused_with_the_reason() {
        assert!(
            refused(&parse_quote!(
                fn task<T>(x: T) {}
            ))
            .contains("generic")
        );
        assert!(
            refused(&parse_quote!(
                fn task(x: impl Send) {}
            ))
            .contains("generic")
        );
        assert!(
            refused(&parse_quote!(
                fn task<'a>(x: &'a str) {}
            ))
            .contains("leave them out")
        );
        assert!(
            refused(&parse_quote!(
                async fn task() {}
            ))
            .contains("async")
        );
        assert!(
            refused(&parse_quote!(
                unsafe fn task() {}
            ))
            .contains("unsafe")
        );
        assert!(
            refused(&parse_quote!(
                fn task(&self) {}
            ))
            .contains("`Run`")
        );
        let nine = parse_quote!(
            fn task(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8) {}
        );
        assert!(refused(&nine).contains("at most 8"));
    }

    #[test]
    fn a_task_is_called_by_its_path_or_as_it_is_told() {
        let function: ItemFn = parse_quote!(
            fn r#match(x: &str) {}
        );
        let text = register(&function, None).unwrap().to_string();
        assert!(text.contains("module_path") && text.contains("\"match\""), "{text}");
        let text = register(&function, Some(&parse_quote!("jobs::match"))).unwrap().to_string();
        assert!(!text.contains("module_path") && text.contains("\"jobs::match\""), "{text}");
    }
}
