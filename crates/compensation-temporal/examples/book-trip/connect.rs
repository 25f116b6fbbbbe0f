//! A connection to the server, or soon a clear word that there is none.

use std::{error::Error, time::Duration};

use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions};

/// So long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects to the server at that host and port.
pub(crate) async fn connect(address: &str) -> Result<Client, Box<dyn Error>> {
    let target = format!("http://{address}").parse::<url::Url>().map_err(|error| {
        format!("`{address}` is no address ({error}): write it like 127.0.0.1:7233")
    })?;
    let options = ConnectionOptions::new(target).connect_timeout(PATIENCE).build();
    // A limit of its own: the connection may stand while nobody answers.
    let why = match tokio::time::timeout(PATIENCE, Connection::connect(options)).await {
        Ok(Ok(connection)) => {
            return Ok(Client::new(connection, ClientOptions::new("default").build())?);
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    Err(format!("no server at {address} ({why}): start one with `temporal server start-dev`")
        .into())
}
