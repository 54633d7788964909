//! `seawall-bindgen IN.wasm OUT_DIR OUT_NAME`: writes the JavaScript glue of a WASM build.
//!
//! `cargo install wasm-bindgen-cli --locked` needs a download client, a web
//! server and a WebDriver that a build has no use for; this is the generator alone.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(input), Some(out_dir), Some(name)) = (args.next(), args.next(), args.next()) else {
        eprintln!("usage: seawall-bindgen IN.wasm OUT_DIR OUT_NAME");
        return ExitCode::from(2);
    };
    let mut bindgen = Bindgen::new();
    let result = bindgen
        .input_path(&input)
        .out_name(&name)
        .typescript(false)
        .omit_default_module_path(true)
        .remove_producers_section(true)
        .remove_name_section(std::env::var_os("SEAWALL_WASM_NAMES").is_none())
        .web(true)
        .and_then(|bindgen| bindgen.generate(&out_dir));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seawall-bindgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}
