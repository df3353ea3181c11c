#include "tools/sprout/scene_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Lists are one string each, entries parted by '|'.
static const char ui_list[] =
    "Save|Save As|Save All|Open|Open File|Open Folder|Close|Close "
    "All|Cancel|OK|Apply|Yes|No|Help|About|Search|Find|"
    "Find Next|Replace|Replace All|Options|Settings|Preferences|New|New "
    "Tab|New Window|New Folder|New File|Print|"
    "Print Preview|Page Setup|Quit|Exit|Undo|Redo|Cut|Copy|Paste|Delete|Select "
    "All|Select None|Zoom In|Zoom Out|"
    "Reset|Next|Previous|Back|Forward|Home|Reload|Stop|Start|Pause|Play|Record|"
    "Login|Log In|Sign In|Sign Up|Sign Out|"
    "Register|Submit|Send|Reply|Reply "
    "All|Inbox|Sent|Drafts|Trash|Archive|Junk|Spam|Outbox|Download|Downloads|"
    "Upload|"
    "Import|Export|Share|Add|Remove|Rename|Move|Move Up|Move "
    "Down|Properties|Details|General|Advanced|Network|Display|"
    "Sound|Language|Keyboard|Mouse|Date|Time|Calendar|Color|Font|Size|Style|"
    "Bold|Italic|Underline|Left|Right|Center|"
    "Top|Bottom|Width|Height|Documents|Pictures|Music|Videos|Desktop|Computer|"
    "Network Places|Connect|Disconnect|"
    "Enable|Disable|Continue|Finish|Install|Uninstall|Update|Upgrade|Retry|"
    "Ignore|Abort|Browse|Choose File|Clear|"
    "Clear All|Empty|Run|Debug|Build|Test|Compile|Step Into|Step "
    "Over|Breakpoints|Console|Terminal|Learn More|Read More|"
    "Log Out|My "
    "Account|Profile|Users|Groups|Filter|Sort|Refresh|Sync|Backup|Restore|"
    "Accept|Decline|Agree|Disagree|"
    "Allow|Deny|Block|Unblock|Follow|Unfollow|Like|Comment|Post|Publish|"
    "Preview|Edit|Edit Profile|View|View All|Show|"
    "Hide|Show All|Hide All|Expand|Collapse|Expand All|More|Less|More "
    "Options|Done|Dismiss|Skip|Later|Not Now|"
    "Remind Me Later|Got It|Try Again|Get Started|Create|Create Account|Create "
    "New|Duplicate|Clone|Merge|Split|Compare|"
    "Link|Unlink|Attach|Detach|Insert|Append|Order|Buy|Buy Now|Add to "
    "Cart|Checkout|Pay|Subscribe|Unsubscribe|Donate|"
    "Contact|Contact Us|Support|Feedback|Report|Report a "
    "Bug|Documentation|Tutorials|Examples|Tips|What's New|News|"
    "Blog|Products|Services|Pricing|Features|Company|Careers|Team|Community|"
    "Forum|Privacy|Terms|Cookies|Legal|Imprint|"
    "Sitemap|FAQ|Overview|Dashboard|Reports|Analytics|Statistics|Activity|"
    "History|Bookmarks|Favorites|Recent|Starred|"
    "Tags|Labels|Categories|Folders|Files|Images|Photos|Albums|Playlists|"
    "Artists|Songs|Podcasts|Radio|Movies|Library|"
    "Queue|Messages|Chats|Calls|Contacts|Notifications|Alerts|Events|Tasks|"
    "Notes|Reminders|Projects|Issues|Milestones|"
    "Pull "
    "Requests|Branches|Commits|Releases|Wiki|Code|Actions|Security|Insights|"
    "Plugins|Extensions|Themes|Appearance|"
    "Accessibility|Power|Battery|Bluetooth|Wireless|Printers|Storage|Memory|"
    "Processes|Performance|Services|Startup|"
    "Devices|Drivers|Firewall|Proxy|Certificates|Passwords|Accounts|"
    "Permissions|Region|Date and Time|Shortcuts|Fonts|"
    "Colors|Background|Screensaver|Wallpaper|Resolution|Brightness|Contrast|"
    "Volume|Input|Output|Microphone|Camera|"
    "Speakers|Headphones|Default|Custom|Automatic|Manual|None|Other|Unknown|"
    "All|Any|Both|Always|Never|Ask|Today|"
    "Yesterday|Tomorrow|Week|Month|Year|Day|Hour|Minute|Monday|Tuesday|"
    "Wednesday|Thursday|Friday|Saturday|Sunday|"
    "January|February|March|April|May|June|July|August|September|October|"
    "November|December|Low|Medium|High|Small|Large|"
    "Normal|Fast|Slow|Light|Dark|System|Red|Green|Blue|Yellow|Orange|Purple|"
    "Black|White|Gray|Circle|Square|Triangle|"
    "Line|Arrow|Text|Brush|Pencil|Eraser|Fill|Crop|Rotate|Flip|Resize|Scale|"
    "Layer|Layers|Channels|Paths|Select|Measure|"
    "Rotate Left|Rotate Right|Flip Horizontal|Flip Vertical|Align Left|Align "
    "Right|Justify|Indent|Outdent|Bullets|"
    "Numbering|Table|Chart|Image|Shape|Header|Footer|Page "
    "Break|Footnote|Comment|Symbol|Equation|Hyperlink|Bookmark|"
    "Spelling|Grammar|Word Count|Thesaurus|Translate|Macros|Full Screen|Side "
    "by Side|Arrange|Cascade|Tile|Minimize|"
    "Maximize|Always on Top|Lock Screen|Suspend|Hibernate|Restart|Shut "
    "Down|Switch User|Task Manager|Run Command|"
    "System Monitor|File Manager|Text Editor|Web Browser|Image Viewer|Media "
    "Player|Calculator|Screenshot|Archive Manager|"
    "Disk Usage|Control Center|Package Manager|Software "
    "Updates|Email|Password|Username|Sign in with Email|"
    "Forgot password?|Remember me|Show password|Dark mode|Auto save|Terms of "
    "Service|Mute|Unmute|Shuffle|Repeat|Loop|"
    "Eject|Mount|Unmount|Format|Partition|Verify|Repair|Check|Scan|Clean|"
    "Optimize|Schedule|Execute|Query|Commit|Push|"
    "Pull|Fetch|Checkout|Rebase|Stash|Discard|Revert|Stage|Unstage|Blame|Log|"
    "Diff|Patch|Apply Changes|Discard Changes|"
    "Keep|Overwrite|Rename All|Skip All|Yes to All|No to All|Add Row|Delete "
    "Row|Add Column|Sort Ascending|"
    "Sort Descending|Freeze|Unfreeze|Group|Ungroup|Bring to Front|Send to "
    "Back|Lock|Unlock|Show Grid|Snap to Grid|"
    "Guides|Rulers|Toolbar|Status Bar|Sidebar|Side Panel|Menu "
    "Bar|Inspector|Navigator|Palette|Properties Panel|Outline|"
    "Minimap|Word Wrap|Line Numbers|Encoding|Syntax|Indentation|Go to Line|Go "
    "to Definition|Rename Symbol|Format Code|"
    "Toggle Comment|Reply to All|Mark as Read|Mark as Unread|Move to "
    "Trash|Empty Trash|Add Contact|New Message|Compose|"
    "Attach File|Discard Draft|Check Mail|Address "
    "Book|Join|Leave|Invite|Host|Meeting|Start Video|Share Screen|"
    "Participants|Reactions|Raise Hand|Record Meeting|End Meeting|Start "
    "Game|New Game|Load Game|High Scores|Difficulty|"
    "Easy|Hard|Hint|Deal|Roll|Pass|Bet|Fold|Player 1|Player "
    "2|Score|Level|Lives|Begin|Setup|Configure|Calibrate|"
    "Detect|Identify|Mirror|Extend|Test Page|Add Printer|Set as "
    "Default|Copies|Landscape|Portrait|Margins|Paper Size|"
    "Balance|Transfer|Withdraw|Deposit|Statement|Invoice|Receipt|Total|"
    "Subtotal|Tax|Discount|Coupon|Shipping|Delivery|"
    "Track Order|Wishlist|Compare Items|Write a Review|In Stock|Sold "
    "Out|Free|Sale|Departure|Arrival|Round Trip|"
    "One Way|Terms & Conditions|Help & Support|Privacy & Security|Drag & "
    "Drop|Save & Exit|Q&A|"
    "Date & Time|Copy/Paste|On/Off|Read/Write|Name (A-Z)|I'm Feeling "
    "Lucky|Don't Save|Can't Connect|C++|C#|Wi-Fi|"
    "Sign-in|Add-ons|Pop-ups|USB 3.0|1x|2x|50%|100%|150%|16:9|A4|Page 1|Top "
    "10|#1|@home|+1|-1|OK!|Why?|<<|>>|<|>|^|"
    "[x]|(none)|~/Desktop|C:\\|/usr/bin|a=b|x_1|$5|{ "
    "}|50/50|A*|B+|\"Quoted\"|Mr. Smith|Ctrl+C|F1|Esc|Enter|Tab|"
    "Passengers|Flights|Hotels|Cars|Book "
    "Now|Map|Satellite|Directions|Nearby|Traffic|Route|Weather|Forecast";
static const char menu_list[] =
    "File|Edit|View|Insert|Format|Tools|Window|Help|Search|Options|Project|"
    "Build|Run|Debug|Go|Bookmarks|History|"
    "Settings|Terminal|Tabs|Image|Layer|Select|Filters|Colors|Table|Document|"
    "Actions|Session|Message|Mail|Playback|"
    "Audio|Video|Subtitle|Game|Control|Data|Code|Refactor|Git|Navigate|"
    "Selection|Places|Applications|System|Arrange|"
    "Object|Text|Page|Style|Graphics|Simulation|Macros|Plugins|Scripts|Music|"
    "Chat|Contacts|Events|Preferences|Devices";
static const char field_list[] =
    "Name|First Name|Last Name|Full Name|User name|Username|Password|Confirm "
    "Password|Email|Email Address|E-mail|Phone|"
    "Phone Number|Mobile|Address|Street|City|State|Country|Zip Code|Postal "
    "Code|Company|Department|Job Title|Website|"
    "URL|Host|Hostname|Port|Server|Database|Table|Title|Subject|To|From|Cc|Bcc|"
    "Message|Comment|Comments|Description|"
    "Notes|Date|Start Date|End "
    "Date|Time|Start|End|Duration|Amount|Price|Quantity|Total|Currency|Account|"
    "Account Number|"
    "Card "
    "Number|Expiry|CVV|Birthday|Age|Gender|Height|Width|Weight|Size|Color|Font|"
    "Font Size|Language|Time Zone|"
    "Location|Path|Folder|File name|Filename|Output File|Input "
    "File|Destination|Source|Command|Arguments|Working Directory|"
    "Project|Project "
    "Name|Author|Version|License|Keywords|Tags|Category|Type|Format|Encoding|"
    "Resolution|Quality|Speed|"
    "Timeout|Interval|Delay|Retries|Limit|Maximum|Minimum|Threshold|Scale|"
    "Angle|Radius|Opacity|Brightness|Contrast|"
    "Volume|Pitch|Tempo|Artist|Album|Genre|Track|Year|Rating|Nickname|Display "
    "name|Login|Domain|Proxy|DNS Server|"
    "IP Address|Subnet Mask|Gateway|MAC Address|Key|Value|Label|Code|ID|Serial "
    "Number|Model|Brand|Order Number|"
    "Reference|Invoice Number|Search|Find|Replace "
    "with|Filter|Query|Question|Answer|Hint|Feedback|Reason|Priority|Status|"
    "Assignee|Due Date|Milestone|Branch|Commit "
    "message|Repository|Remote|Token|API Key|Secret|Endpoint|Region|Bucket";
static const char action_list[] =
    "Delete|Edit|Remove|View|Open|Download|Details|Buy|Add|Select|Reply|Call|"
    "Install|"
    "Update|Approve|Reject|Follow|Invite|Share|Rename|Restore|Start|Stop|"
    "Connect|Join|Pay|Book|Copy|Move|Show|Play";
static const char option_list[] =
    "Remember me|Show password|Keep me signed in|I agree to the "
    "terms|Subscribe to newsletter|Send me updates|Auto save|"
    "Dark mode|Night light|Enable notifications|Show hidden files|Show "
    "toolbar|Show status bar|Word wrap|Line numbers|"
    "Highlight current line|Match case|Whole words|Regular expression|Wrap "
    "around|Check spelling|Start on login|"
    "Minimize to tray|Always on top|Confirm before exit|Ask before closing|Use "
    "system theme|Use proxy|Automatic updates|"
    "Send crash reports|Share usage data|Remember history|Block pop-ups|Accept "
    "cookies|Do not track|Enable sound|Mute|"
    "Full screen|Airplane mode|Bluetooth|Wi-Fi|Location|Hotspot|Do not "
    "disturb|Battery saver|Auto brightness|"
    "Screen lock|Touchpad|Natural scrolling|Tap to click|Sticky keys|Large "
    "text|High contrast|Animations|Show seconds|"
    "24-hour clock|Week numbers|Shuffle|Repeat|Crossfade|Normalize "
    "volume|Loop|Show grid|Snap to grid|Show rulers|"
    "Anti-aliasing|Vertical sync|Shadows|Hardware acceleration|Verbose|Dry "
    "run|Recursive|Overwrite|Backup files|Compress|"
    "Encrypt|Read "
    "only|Hidden|Executable|Archive|Shared|Public|Private|Required|Optional|"
    "Enabled|Active|Visible|Bold|"
    "Italic|Underline|Strikethrough|Portrait|Landscape|Color|Grayscale|Duplex|"
    "Collate|Draft|Male|Female|Other|Single|"
    "Married|Credit card|PayPal|Bank "
    "transfer|Cash|Standard|Express|Overnight|Pickup|Small|Medium|Large|Extra "
    "large|"
    "Red|Green|Blue|Yes|No|Maybe|Daily|Weekly|Monthly|Yearly|Never|Always|Low|"
    "High|Easy|Normal|Hard|Basic|Pro|Vegan|"
    "Gift wrap|Express shipping|Save card|Same as billing address|Track "
    "changes|Show markup|Cloud sync|Offline mode|"
    "Two-factor authentication|Email alerts|SMS alerts|Push notifications|Beta "
    "features|Developer mode|Debug mode";
static const char app_list[] =
    "Notes|Text "
    "Editor|Calculator|Terminal|Files|Settings|Mail|Calendar|Contacts|Music|"
    "Photos|Browser|Paint|Clock|"
    "Weather|Maps|Messages|Tasks|Archive Manager|System Monitor|Control "
    "Panel|Image Viewer|Media Player|Spreadsheet|"
    "Presentation|Writer|Document Viewer|Screenshot|Disk Usage|Package "
    "Manager|Backup|Network|Printers|Log Viewer|"
    "Dictionary|Character Map|Font Viewer|Color Picker|Video Editor|Audio "
    "Recorder|Chess|Mines|Solitaire|Sudoku|"
    "Chat|Phone|Camera|Scanner|Passwords|Feeds|Podcasts|Translator|Diagram|"
    "Database|Debugger|Profiler|Hex Editor|"
    "Task Manager|Login|Registration|Preferences|Properties|Open File|Save "
    "As|Find|Replace|Print|About|Warning|Error|"
    "Question|Information|Confirm|Update|Welcome|Setup|Wizard|Untitled|"
    "Document1|New Document|Inbox|Order Form";
static const char first_list[] =
    "Ada|Alan|Alice|Amy|Andrew|Anna|Arthur|Barbara|Ben|Bob|Brian|Carl|Carol|"
    "Charles|Chloe|Clara|Daniel|David|Diana|"
    "Edgar|Elena|Emily|Emma|Eric|Eva|Felix|Finn|Frank|George|Grace|Hannah|"
    "Harry|Helen|Henry|Ian|Ida|Irene|Isaac|Ivan|"
    "Jack|James|Jane|Jason|Jean|John|Julia|Karen|Karl|Kate|Kevin|Laura|Leo|"
    "Lily|Linda|Linus|Lisa|Lucas|Lucy|Maria|Mark|"
    "Martin|Mary|Max|Mia|Michael|Mike|Nancy|Nina|Noah|Nora|Oliver|Olivia|Oscar|"
    "Otto|Paul|Peter|Quinn|Rachel|Ray|Robert|"
    "Rosa|Ruth|Sam|Sarah|Simon|Sofia|Stella|Susan|Theo|Thomas|Tim|Tina|Tom|Uma|"
    "Vera|Victor|Walter|Wendy|William|Yuki|"
    "Zara|Zoe|Ahmed|Aisha|Carlos|Chen|Fatima|Giulia|Hiro|Ingrid|Kenji|Lars|Mei|"
    "Miguel|Olga|Pavel|Priya|Raj|Sven|Yara";
static const char last_list[] =
    "Adams|Allen|Anderson|Baker|Becker|Bell|Bennett|Brown|Campbell|Carter|"
    "Clark|Collins|Cook|Cooper|Cox|Davis|Diaz|"
    "Edwards|Evans|Fischer|Fisher|Foster|Garcia|Gomez|Gray|Green|Hall|Harris|"
    "Hayes|Hill|Hoffmann|Howard|Hughes|Jackson|"
    "James|Jenkins|Johnson|Jones|Kelly|Khan|King|Klein|Kumar|Lee|Lewis|Long|"
    "Lopez|Lovelace|Martin|Mason|Miller|Mitchell|"
    "Moore|Morgan|Morris|Murphy|Nelson|Nguyen|Novak|Ortiz|Parker|Patel|Perez|"
    "Peterson|Phillips|Powell|Price|Reed|Rivera|"
    "Roberts|Robinson|Rogers|Ross|Russell|Sanders|Sato|Schmidt|Scott|Silva|"
    "Smith|Stewart|Suzuki|Taylor|Thomas|Thompson|"
    "Torres|Turing|Turner|Walker|Wang|Ward|Watson|Weber|White|Williams|Wilson|"
    "Wood|Wright|Yang|Young|Zhang|Ivanov|Rossi";
static const char city_list[] =
    "Berlin|Paris|London|Madrid|Rome|Vienna|Prague|Warsaw|Lisbon|Dublin|Oslo|"
    "Stockholm|Helsinki|Copenhagen|Athens|"
    "Budapest|Brussels|Amsterdam|Zurich|Geneva|Munich|Hamburg|Milan|Naples|"
    "Turin|Porto|Lyon|Boston|Chicago|Denver|"
    "Seattle|Austin|Dallas|Miami|Atlanta|Portland|Toronto|Montreal|Vancouver|"
    "Mexico City|Lima|Bogota|Santiago|"
    "Sydney|Melbourne|Auckland|Tokyo|Osaka|Kyoto|Seoul|Beijing|Shanghai|Hong "
    "Kong|Singapore|Bangkok|Delhi|Mumbai|"
    "Cairo|Nairobi|Lagos|Cape Town|Istanbul|Tel "
    "Aviv|Dubai|Riga|Vilnius|Tallinn|Sofia|Zagreb|Germany|France|Spain|Italy|"
    "Poland|Norway|Sweden|Finland|Denmark|Canada|Mexico|Brazil|Japan|China|"
    "India|Kenya|Egypt|Turkey|Greece|Ireland";
static const char ext_list[] =
    "txt|pdf|png|jpg|c|h|py|html|css|js|odt|ods|doc|docx|xls|xlsx|csv|json|xml|"
    "md|zip|tar.gz|mp3|wav|mp4|avi|svg|gif|"
    "log|conf|sh|cpp|java|rs|go|sql|bak|tmp|iso|deb|ini|toml|yaml|tex|epub";

struct list {
    const char *text;
    int n;
    const char *word[1200];
    char *copy;
};
static struct list lists[] = {
    { .text = ui_list },     { .text = menu_list },   { .text = field_list },
    { .text = action_list }, { .text = option_list }, { .text = app_list },
    { .text = first_list },  { .text = last_list },   { .text = city_list },
    { .text = ext_list },
};
enum { UI, MENU, FIELD, ACTION, OPTION, APP, FIRST, LAST, CITY, EXT, N_LISTS };

static char *word_store;
static const char **word_list;
static int n_words;

static void list_split(struct list *l)
{
    size_t len = strlen(l->text) + 1;
    // ok: a library of its own, without base/mem
    l->copy = malloc(len);
    if (!l->copy)
        abort();
    memcpy(l->copy, l->text, len);
    l->n = 0;
    for (char *p = l->copy; p && l->n < 1200;) {
        l->word[l->n++] = p;
        p = strchr(p, '|');
        if (p)
            *p++ = 0;
    }
}

int words_load(const char *asset_dir)
{
    char path[512];
    for (int i = 0; i < N_LISTS; i++)
        list_split(&lists[i]);
    snprintf(path, sizeof path, "%s/words.txt", asset_dir);
    FILE *in = fopen(path, "r");
    if (!in || fseek(in, 0, SEEK_END))
        goto fail;
    long len = ftell(in);
    rewind(in);
    // ok: a library of its own, without base/mem
    word_store = len > 0 ? calloc((size_t)len + 1, 1) : NULL;
    word_list = len > 0 ? calloc((size_t)len / 2 + 1, sizeof *word_list) : NULL;
    if (!word_store || !word_list ||
        fread(word_store, 1, (size_t)len, in) != (size_t)len)
        goto fail;
    fclose(in);
    n_words = 0;
    for (char *p = word_store; *p;) {
        char *end = strchr(p, '\n');
        if (end > p)
            word_list[n_words++] = p;
        if (!end)
            break;
        *end = 0;
        p = end + 1;
    }
    return n_words > 0 ? 0 : -1;
fail:
    fprintf(stderr, "scene: cannot read %s\n", path);
    if (in)
        fclose(in);
    return -1;
}

void words_unload(void)
{
    for (int i = 0; i < N_LISTS; i++) {
        free(lists[i].copy);
        lists[i].copy = NULL;
    }
    free(word_store);
    free(word_list);
    word_store = NULL;
    word_list = NULL;
    n_words = 0;
}

static const char *pick(struct sc *s, int list)
{
    return lists[list].word[rnd(s, (uint32_t)lists[list].n)];
}

const char *words_ui(struct sc *s)
{
    return pick(s, UI);
}
const char *words_menu(struct sc *s)
{
    return pick(s, MENU);
}
const char *words_field(struct sc *s)
{
    return pick(s, FIELD);
}
const char *words_action(struct sc *s)
{
    return pick(s, ACTION);
}
const char *words_option(struct sc *s)
{
    return pick(s, OPTION);
}
const char *words_app(struct sc *s)
{
    return pick(s, APP);
}
const char *words_first(struct sc *s)
{
    return pick(s, FIRST);
}
const char *words_last(struct sc *s)
{
    return pick(s, LAST);
}
const char *words_city(struct sc *s)
{
    return pick(s, CITY);
}
const char *words_word(struct sc *s)
{
    return word_list[rnd(s, (uint32_t)n_words)];
}

static void capital(char *buf)
{
    if (buf[0] >= 'a' && buf[0] <= 'z')
        buf[0] = (char)(buf[0] - 32);
}

static void lower(char *buf)
{
    for (; *buf; buf++)
        if (*buf >= 'A' && *buf <= 'Z')
            *buf = (char)(*buf + 32);
}

char *words_name(struct sc *s, char *buf, int n)
{
    int k = range(s, 0, 9);
    if (k < 5)
        snprintf(buf, (size_t)n, "%s %s", words_first(s), words_last(s));
    else if (k < 8)
        snprintf(buf, (size_t)n, "%s", words_first(s));
    else
        snprintf(buf, (size_t)n, "%s, %c.", words_last(s),
                 'A' + range(s, 0, 25));
    return buf;
}

char *words_file(struct sc *s, char *buf, int n)
{
    char name[40];
    const char *sep = chance(s, 50) ? "_" : "-";
    if (chance(s, 70))
        snprintf(name, sizeof name, "%.14s", words_word(s));
    else if (chance(s, 50))
        snprintf(name, sizeof name, "%.11s%s%.11s", words_word(s), sep,
                 words_word(s));
    else
        snprintf(name, sizeof name, "%.12s%s%d", words_word(s), sep,
                 range(s, 1, 2030));
    if (chance(s, 80))
        lower(name);
    snprintf(buf, (size_t)n, "%s.%s", name, pick(s, EXT));
    return buf;
}

char *words_number(struct sc *s, char *buf, int n)
{
    int big = 1;
    for (int k = range(s, 1, 5); k > 0; k--)
        big *= 10;
    int v = range(s, 0, big - 1);
    switch (rnd(s, 12)) {
    case 0: snprintf(buf, (size_t)n, "%d.%02d", v, range(s, 0, 99)); break;
    case 1: snprintf(buf, (size_t)n, "%d%%", v % 101); break;
    case 2: snprintf(buf, (size_t)n, "$%d.%02d", v, range(s, 0, 99)); break;
    case 3:
        snprintf(buf, (size_t)n, "%02d:%02d", v % 24, range(s, 0, 59));
        break;
    case 4:
        snprintf(buf, (size_t)n, "%d-%02d-%02d", range(s, 1990, 2030),
                 range(s, 1, 12), range(s, 1, 28));
        break;
    case 5: snprintf(buf, (size_t)n, "%d KB", v); break;
    case 6: snprintf(buf, (size_t)n, "%d.%d MB", v % 1000, v % 10); break;
    case 7: snprintf(buf, (size_t)n, "#%d", v); break;
    default: snprintf(buf, (size_t)n, "%d", v);
    }
    return buf;
}

char *words_phrase(struct sc *s, char *buf, int n, int words)
{
    static const char *const small[] = { "the",  "a",    "of",  "to",   "and",
                                         "in",   "is",   "for", "with", "on",
                                         "this", "that", "was", "are",  "it",
                                         "you",  "be",   "not", "can",  "will",
                                         "from", "your", "has", "all",  "new" };
    int len = 0;
    buf[0] = 0;
    for (int i = 0; i < words; i++) {
        const char *w = chance(s, 35) ? small[rnd(s, 25)] : words_word(s);
        int k = (int)strlen(w);
        if (len + k + 2 >= n)
            break;
        if (len)
            buf[len++] = ' ';
        memcpy(buf + len, w, (size_t)k + 1);
        len += k;
    }
    capital(buf);
    return buf;
}

char *words_value(struct sc *s, char *buf, int n)
{
    switch (rnd(s, 9)) {
    case 0: return words_number(s, buf, n);
    case 1: return words_file(s, buf, n);
    case 2: snprintf(buf, (size_t)n, "%s", words_city(s)); break;
    case 3:
        snprintf(buf, (size_t)n, "%s.%s@%.8s.com", words_first(s),
                 words_last(s), words_word(s));
        lower(buf);
        break;
    case 4: return words_phrase(s, buf, n, range(s, 1, 4));
    case 5:
        snprintf(buf, (size_t)n, "/home/%s/%s", words_first(s), words_word(s));
        lower(buf);
        break;
    default: return words_name(s, buf, n);
    }
    return buf;
}

/* Letters and digits that spell no word: has to be read, not guessed. */
static void code_word(struct sc *s, char *buf, int n)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "abcdefghijklmnopqrstuvwxyz0123456789-_./";
    int len = range(s, 2, 9);
    for (int i = 0; i < len && i < n - 1; i++)
        buf[i] = set[rnd(s, i == 0 || i == len - 1 ? 72 : 76)];
    buf[len < n ? len : n - 1] = 0;
}

char *words_any(struct sc *s, char *buf, int n)
{
    int k = range(s, 0, 99);
    if (k < 38) {
        snprintf(buf, (size_t)n, "%s", words_ui(s));
    } else if (k < 60) {
        snprintf(buf, (size_t)n, "%s", words_word(s));
        capital(buf);
    } else if (k < 68) {
        snprintf(buf, (size_t)n, "%s", words_word(s));
    } else if (k < 80) {
        snprintf(buf, (size_t)n, "%.12s %.12s", words_word(s), words_word(s));
        capital(buf);
        if (chance(s, 40)) {
            char *p = strchr(buf, ' ');
            if (p)
                capital(p + 1);
        }
    } else if (k < 85) {
        return words_name(s, buf, n);
    } else if (k < 89) {
        return words_number(s, buf, n);
    } else if (k < 92) {
        return words_file(s, buf, n);
    } else if (k < 94) {
        snprintf(buf, (size_t)n, "%s %d", words_word(s), range(s, 0, 99));
        capital(buf);
    } else if (k < 96) {
        snprintf(buf, (size_t)n, "%s", words_city(s));
    } else if (k < 98) {
        return words_phrase(s, buf, n, 3);
    } else {
        code_word(s, buf, n);
    }
    if (chance(s, 3))
        for (char *p = buf; *p; p++)
            *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
    return buf;
}

char *words_button(struct sc *s, char *buf, int n)
{
    if (chance(s, 68))
        snprintf(buf, (size_t)n, "%s", words_ui(s));
    else
        words_any(s, buf, n);
    return buf;
}
