//! The activities of the journey whose histories are kept: each has a name of its own, and does what its call says.

use std::sync::Arc;

use futures::future::BoxFuture;
use temporalio_sdk::activities::{
    ActivityContext, ActivityDefinitions, ActivityError, ActivityImplementer, ExecutableActivity,
};
use temporalio_workflow::common::ActivityDefinition;

use crate::trip::{Call, does};

pub(crate) struct Agencies;

macro_rules! activities {
    ($($name:ident = $text:literal),*) => {
        $(
            struct $name;

            impl ActivityDefinition for $name {
                type Input = Call;
                type Output = String;

                fn name(&self) -> &str {
                    $text
                }
            }

            impl ExecutableActivity for $name {
                type Implementer = Agencies;
                const REQUIRES_INSTANCE: bool = false;

                fn definition() -> Self {
                    Self
                }

                fn execute(
                    _: Option<Arc<Agencies>>,
                    ctx: ActivityContext,
                    call: Call,
                ) -> BoxFuture<'static, Result<String, ActivityError>> {
                    Box::pin(does(ctx, call))
                }
            }
        )*

        impl ActivityImplementer for Agencies {
            fn register_all(self: Arc<Self>, defs: &mut ActivityDefinitions) {
                $(defs.register_activity::<$name>(self.clone());)*
            }
        }
    };
}

activities! {
    BookCar = "book-car",
    CancelCar = "cancel-car",
    BookHotel = "book-hotel",
    CancelHotel = "cancel-hotel",
    BookBoat = "book-boat",
    CancelBoat = "cancel-boat",
    BookFlight = "book-flight",
    CancelFlight = "cancel-flight"
}
