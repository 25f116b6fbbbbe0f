//! What other pages in the same browser, and other people's texts, must not bring about.

use axum::{Router, response::Html, routing::get};
use compensation::Status;
use compensation_console::{Access, Options, Token};

use crate::{
    driver::{Browser, serve},
    stage::{World, id, run},
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Serves one page as another site. Returns its port.
async fn other_site(page: String) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let app = Router::new().route("/", get(move || async move { Html(page) }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_that_is_called_like_a_script_is_text() {
    let world = World::new();
    let engine = world.in_memory().await;
    let name = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>";
    run(&engine, name, name).await;
    let place = serve(engine, Options::new()).await;
    let browser = Browser::open().await;
    browser.go(&format!("{place}/list")).await;
    browser.says(name).await;
    browser.click("a.saga").await;
    browser.says("Timeline").await;
    assert!(browser.text().await.contains(name));
    assert!(!browser.title().await.starts_with("owned"));
    assert_eq!(browser.count("img").await, 0);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_within_a_page_would_not_run() {
    let world = World::new();
    let place = serve(world.in_memory().await, Options::new()).await;
    let browser = Browser::open().await;
    browser.go(&place).await;
    browser.says("Nothing waits").await;
    // As if somebody had found a way to get markup into a page.
    let inject = "const it = document.createElement('div');
        it.innerHTML = '<img src=x onerror=\"document.title=\\'owned\\'\">';
        document.body.append(it);
        const script = document.createElement('script');
        script.textContent = 'document.title = \"owned\"';
        document.body.append(script);
        return new Promise((done) => setTimeout(() => done(document.title), 300));";
    let title = browser.script(inject).await;
    assert_ne!(title.as_str(), Some("owned"));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_on_another_site_changes_nothing() {
    let world = World::new();
    let engine = world.in_memory().await;
    run(&engine, "trip-mallory", "mallory").await;
    let place = serve(engine.clone(), Options::new()).await;
    let form = format!(
        "<form method=post action='{place}/order'><input name=id value=trip-mallory>\
         <input name=verb value=abandon><input name=who value=Eve><input name=why value=x>\
         <input name=form value=guessed><button id=go>Win a prize</button></form>"
    );
    let port = other_site(form).await;
    let browser = Browser::open().await;
    for host in ["localhost", "127.0.0.1"] {
        browser.go(&format!("http://{host}:{port}/")).await;
        browser.click("#go").await;
        browser.says("This form was not sent by the console").await;
    }
    let report = engine.report(&id("trip-mallory")).await.expect("a report");
    assert_eq!(report.status(), Status::Stuck);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_can_not_be_framed_or_read_by_another_site() {
    let world = World::new();
    let engine = world.in_memory().await;
    run(&engine, "trip-mallory", "mallory").await;
    let place = serve(engine, Options::new()).await;
    let page = format!(
        "<p id=read>waiting</p><iframe id=frame src='{place}/'></iframe><script>
         fetch('{place}/').then((it) => it.text()).then(
           (text) => document.getElementById('read').textContent = 'read ' + text.length,
           () => document.getElementById('read').textContent = 'refused');</script>"
    );
    let port = other_site(page).await;
    let browser = Browser::open().await;
    browser.go(&format!("http://127.0.0.1:{port}/")).await;
    browser.says("refused").await;
    browser.enter_frame("#frame").await;
    assert!(!browser.text().await.contains("trip-mallory"));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_name_for_this_machine_is_refused() {
    let world = World::new();
    let engine = world.in_memory().await;
    run(&engine, "trip-mallory", "mallory").await;
    let place = serve(engine, Options::new()).await;
    let port = place.rsplit(':').next().expect("a port");
    let browser = Browser::open().await;
    // Every name below `localhost` leads to this machine, as a rebound name would.
    browser.go(&format!("http://evil.localhost:{port}/")).await;
    browser.says("This console does not answer under that name").await;
    assert!(!browser.text().await.contains("trip-mallory"));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_with_a_token_asks_for_it_and_goes_on_where_one_wanted_to() {
    let world = World::new();
    let engine = world.in_memory().await;
    run(&engine, "trip-mallory", "mallory").await;
    let token = Token::new(TOKEN).expect("long enough");
    let options = Options::new().open_to(["ops.example"], Access::Token(token));
    let place = serve(engine, options).await;
    let browser = Browser::open().await;
    browser.go(&format!("{place}/saga?id=trip-mallory")).await;
    browser.says("Log in").await;
    browser.fill("#token", "not the token, not at all").await;
    browser.press("Log in").await;
    browser.says("That is not the token").await;
    browser.fill("#token", TOKEN).await;
    browser.press("Log in").await;
    browser.says("its undo failed").await;
    let cookies = browser.script("return document.cookie").await;
    assert_eq!(cookies.as_str(), Some(""), "no script can read the session");
    browser.press("Log out").await;
    browser.says("Log in").await;
    browser.go(&place).await;
    browser.says("Log in").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_console_has_no_buttons() {
    let world = World::new();
    let engine = world.in_memory().await;
    run(&engine, "trip-mallory", "mallory").await;
    let place = serve(engine, Options::new().read_only()).await;
    let browser = Browser::open().await;
    browser.go(&format!("{place}/saga?id=trip-mallory")).await;
    browser.says("read-only").await;
    browser.says("its undo failed").await;
    assert_eq!(browser.count("a.button, button").await, 0);
    browser.go(&format!("{place}/order?id=trip-mallory&verb=abandon")).await;
    browser.says("This console is read-only").await;
    browser.close().await;
}
