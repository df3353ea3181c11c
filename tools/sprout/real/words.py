"""Random words for labels, titles, names and values, from a seeded generator."""
import string

UI = """Save Open Close Cancel Apply Reset Delete Remove Add Edit Copy Paste Cut Undo Redo Find Replace Print
Preview Import Export Upload Download Refresh Reload Stop Start Pause Resume Next Previous Back Forward Home Up Down
Help About Settings Preferences Options Properties Details Advanced General Appearance Behaviour Display Sound Network
Security Privacy Account Profile Password Username Login Logout Register Submit Send Receive Reply Archive Move Rename
Duplicate Merge Split Sort Filter Group Select Clear Search Browse Choose Pick Create New Insert Update Install Uninstall
Enable Disable Show Hide Lock Unlock Mute Record Play Skip Zoom Rotate Crop Resize Flip Align Format Font Size Colour
Color Style Theme Layout View Window Tools File Folder Document Image Picture Video Audio Music Photo Album Library
Contact Address Email Phone Street City Country State Postcode Company Website Notes Comment Title Subject Message Date
Time Calendar Event Task Project Report Invoice Order Customer Product Price Quantity Amount Total Tax Discount Status
Priority Category Tag Label Name Surname Description Summary Version License Author Language Region Currency Keyboard
Mouse Printer Scanner Camera Battery Power Screen Brightness Volume Contrast Quality Speed Width Height Depth Margin
Border Padding Opacity Shadow Grid Ruler Guide Layer Channel Mask Brush Pencil Eraser Gradient Pattern Chart Table Row
Column Cell Sheet Page Section Header Footer Chapter Index Bookmark History Favourites Inbox Outbox Drafts Sent Trash
Spam Junk Server Host Port Proxy Protocol Domain Key Token Certificate Database Query Schema Backup Restore Schedule
Reminder Alarm Timer Clock Log Debug Trace Error Warning Monitor Memory Disk Processor Process Thread Service Plugin
Extension Module Package Script Macro Terminal Console Shell Editor Viewer Player Manager Assistant Wizard Finish
Continue Retry Ignore Abort Discard Yes No OK Accept Decline Agree Allow Deny Block Report Share Follow Like Subscribe
Invite Join Leave Connect Disconnect Sync Pair Scan Test Verify Validate Check Compare Convert Compress Extract Encrypt
Sign Attach Detach Dock Pin Unpin Expand Collapse Maximise Minimise Fullscreen Exit Quit""".split()

PHRASES = """Save As|Select All|Page Setup|Print Preview|Find Next|Go To Line|Word Wrap|Full Screen|Zoom In|Zoom Out
Actual Size|Sign In|Log Out|New Window|New Tab|Open Recent|Remember me|Keep me signed in|Show hidden files|Start on login
Send a copy|Check for updates|Play a sound|Use dark theme|Enable spelling|Show toolbar|Show status bar|Auto save|Line numbers
Highlight current line|Match case|Whole words|Use proxy|Ask before closing|Do not ask again|Show at startup|Read only
Shrink to fit|Keep aspect ratio|First name|Last name|User name|Host name|File name|Full name|Street address|Phone number
Date of birth|Card number|Due date|Start time|End time|Repeat every|Default folder|Maximum size|Number of copies|Paper size
Send To|Cut Out|Mark as read|Reply All|Empty Trash|Add Contact|Edit Profile|Clear History|Restore Defaults|Learn more
Save All|Close All|Move Up|Move Down|Sort by name|Sort by date|Group by type|Reset Layout|Insert Row|Delete Column""".replace("\n", "|").split("|")

FIRST = """Ada Alan Alice Amir Anna Ben Bob Carla Chen Clara Dan Dora Edith Elena Emil Eva Felix Fiona Frank Grace Hana Hugo
Ida Igor Ines Ivan Jane Jens Jin Jonas Julia Kai Kira Lars Lena Leo Lin Lola Luca Mara Marie Max Mei Mia Milo Nadia Nils
Nina Noah Nora Olga Omar Oscar Paul Petra Priya Rafael Rosa Ruth Sam Sara Sven Tara Theo Tim Tina Tom Uma Vera Victor Wei
Yara Yuki Zara Zoe""".split()
LAST = """Abbott Ahmed Baker Bauer Berg Brown Castro Clark Costa Diaz Dubois Eriksen Evans Fischer Garcia Gupta Haas Hansen
Hill Ito Jensen Jones Kaya Kim Klein Kowalski Larsen Lopez Marino Meyer Moore Novak Olsen Park Patel Perez Quinn Reyes Rossi
Sato Schmidt Silva Singh Smith Suzuki Tanaka Turner Vogel Walker Weber White Wong Young Zhang""".split()
EXT = "txt pdf png jpg csv doc odt zip tar.gz mp3 mp4 html py c h md log json xml svg".split()


def dictionary(path="/usr/share/dict/words"):
    """Plain lower-case words of 3 to 11 letters."""
    with open(path, encoding="utf-8", errors="ignore") as fh:
        return [w for w in (line.strip() for line in fh)
                if 3 <= len(w) <= 11 and w.isascii() and w.isalpha() and w.islower()]


class Words:
    """Draws labels; `fresh` labels are unique (ignoring case) until `clear`."""

    def __init__(self, rng):
        self.rng, self.dict, self.used = rng, dictionary(), set()

    def clear(self):
        self.used = set()

    def word(self):
        return self.rng.choice(self.dict)

    def any_label(self):
        r, rng = self.rng.random(), self.rng
        if r < 0.34:
            return rng.choice(UI)
        if r < 0.46:
            return rng.choice(PHRASES)
        if r < 0.72:
            return self.word().capitalize()
        if r < 0.88:
            two = f"{self.word()} {self.word()}"
            return two.title() if rng.random() < 0.4 else two.capitalize()
        if r < 0.94:
            return f"{rng.choice(UI)} {self.word()}"
        return f"{rng.choice(UI)} {rng.randint(1, 99)}"

    def fresh(self, draw=None, tries=60):
        for _ in range(tries):
            label = (draw or self.any_label)()
            key = label.lower()
            if len(label) <= 26 and key not in self.used:
                self.used.add(key)
                return label
        return self.fresh(lambda: "".join(self.rng.choice(string.ascii_lowercase) for _ in range(6)).capitalize())

    def person(self):
        return f"{self.rng.choice(FIRST)} {self.rng.choice(LAST)}"

    def file(self):
        sep = self.rng.choice(["_", "-", "", " "])
        stem = self.word() if self.rng.random() < 0.6 else sep.join([self.word(), self.word()])
        if self.rng.random() < 0.25:
            stem += str(self.rng.randint(1, 2030))
        return f"{stem}.{self.rng.choice(EXT)}"

    def number(self):
        r = self.rng
        return r.choice([str(r.randint(0, 99)), str(r.randint(100, 99999)), f"{r.uniform(0, 999):.2f}",
                         f"{r.randint(1, 28):02d}/{r.randint(1, 12):02d}/{r.randint(1990, 2030)}",
                         f"{r.randint(2000, 2030)}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}",
                         f"{r.randint(0, 23)}:{r.randint(0, 59):02d}", f"{r.randint(1, 100)}%", f"{r.randint(1, 900)} KB"])

    def value(self):
        r = self.rng.random()
        if r < 0.3:
            return self.person()
        if r < 0.5:
            return self.number()
        if r < 0.6:
            return f"{self.word()}@{self.word()}.org"
        return " ".join(self.word() for _ in range(self.rng.randint(1, 3)))

    def sentence(self, lo=4, hi=10):
        return " ".join(self.word() for _ in range(self.rng.randint(lo, hi))).capitalize() + "."
