//! `recover`: the ways out of the state in which a node signs nothing.

use peermq::node::{Options, Recovered, Recovery, Serving};
use serde::Serialize;

use crate::args::RecoverArgs;
use crate::context::{Context, Interrupt};
use crate::error::CliError;
use crate::output::remark;
use crate::passphrase;

pub(super) async fn run(context: &Context, args: RecoverArgs) -> Result<(), CliError> {
    let recovery = if args.moved { Recovery::Moved } else { Recovery::NewEpoch };
    let options = Options::new(context.directory()?).passphrase(passphrase::current());
    let options = context.store.into_iter().fold(options, Options::store);
    let recovered = Interrupt::new()?.or(options.recover(recovery)).await;
    let recovered = recovered.ok_or(CliError::Unfinished)??;
    let Recovered::NewEpoch(life) = recovered else { return Ok(()) };
    let earlier = life.earlier.epoch;
    if life.serving == Serving::Ends {
        remark(&format!(
            "peermq: what peers have not acknowledged of epoch {earlier} is not sent again: its \
             store is another version of what was signed"
        ));
    }
    if context.output.is_json() {
        let told = Told { epoch: life.tip.epoch.0, earlier_epoch: earlier.0 };
        return context.output.result("", &told).await;
    }
    Ok(())
}

/// A new life, as one object.
#[derive(Debug, Serialize)]
struct Told {
    epoch: u64,
    earlier_epoch: u64,
}
